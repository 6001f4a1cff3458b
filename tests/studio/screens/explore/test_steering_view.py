"""Where the sliders of a steered city stand, and what an address makes of them."""

import gradio as gr
import pytest

from studio.screens.explore.near_view import Chosen
from studio.screens.explore.steering_view import SLIDERS, SteeringView, _positions, _steps
from tests.studio.conftest import BATCHES

CITY = Chosen("5.1", 5, 24)
SKIPPED = gr.skip()


@pytest.fixture
def begin(view_of):
    view = view_of(SteeringView)
    return lambda wanted, known=None: view._begin("city", CITY, wanted, known)


def test_sliders_say_steps_that_set_the_same_sliders_again():
    strengths = (2.0, 0, -1.5, 0, 0, 0, 0.5)
    steps = _steps("sefa", 17, strengths)
    assert list(map(str, steps)) == ["sefa:0=2", "sefa:2=-1.5", "z:17=0.5"]
    method, number, *positions = _positions(steps)
    assert (method, number, tuple(positions)) == ("sefa", 17, strengths)


def test_a_city_begins_where_it_lies_or_where_its_address_says(begin):
    slider, method, number, *positions, wanted, known, along = begin(None)
    assert (slider.minimum, slider.maximum, slider.value) == (1, BATCHES, 5)
    assert (method, number, positions) == (SKIPPED, SKIPPED, [0] * (SLIDERS + 1))
    assert (wanted, known, along) == (None, ("city", CITY), ())
    _, method, _, first, second, *_, along = begin(("pca:1=2",))
    assert (method, first, second, along) == ("pca", 0, 2.0, ("pca:1=2",))


def test_a_city_that_is_told_of_twice_leaves_the_sliders_where_they_are(begin):
    told = begin(None, ("city", CITY))
    assert told == [SKIPPED] * (SLIDERS + 7)
    assert len(told) == len(begin(None))
    assert begin(("z:3=1",), ("city", CITY))[-1] == ("z:3=1",)
