from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.screens.checkpoints.checkpoints_tab import read_view
from studio.screens.checkpoints.timeline.timeline_view import View, to_stretches
from studio.screens.parts.app_context import nearest_batch
from studio.screens.parts.browser.address import Address
from studio.workspace.errors import StudioError


def spread_out(stretches):
    return [first + step * i for first, step, count in stretches for i in range(count)]


@given(st.sets(st.integers(0, 300), max_size=60))
def test_stretches_say_which_batches_there_are(batches):
    assert spread_out(to_stretches(sorted(batches))) == sorted(batches)


def test_an_even_run_is_told_in_three_numbers():
    assert to_stretches(range(1, 20_001)) == [[1, 1, 20_000]]
    assert len(to_stretches([*range(100), *range(100, 20_000, 10)])) <= 3


@given(st.sets(st.integers(0, 100), min_size=1), st.floats(-50, 150))
def test_the_nearest_batch_is_nearer_than_all_others(batches, wanted):
    found = nearest_batch(sorted(batches), wanted)
    assert abs(found - wanted) == min(abs(batch - wanted) for batch in batches)


def test_a_view_stands_in_the_address_and_comes_back():
    view = View(7, "0.2", 3, 9, 5)
    text = Address("city", "Checkpoints", view.to_parts()).write()
    assert text == "?run=city&tab=Checkpoints&batch=7&point=0.2&from=3&to=9&beside=5"
    assert View.from_parts(Address.read(text).parts) == view
    assert View.from_parts({}) is None
    assert View.from_parts({"point": "0.2"}).batch == -1


@pytest.mark.parametrize(
    "forged",
    [
        *({"batch": "x"}, {"batch": [1]}, {"batch": None}, {"batch": -4}, {"point": "../x"}),
        *({"start": "1.5"}, {"end": {}}, {"beside": True}),
    ],
)
def test_a_forged_view_is_refused(forged):
    event = {"batch": 3, "point": "", "start": None, "end": None, "beside": None, **forged}
    with pytest.raises(StudioError):
        read_view(SimpleNamespace(**event))
