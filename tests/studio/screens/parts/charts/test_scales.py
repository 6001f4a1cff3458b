import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.screens.parts.charts.scales import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale, Span

VALUES = st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=30)


def test_ticks_are_round_numbers_within_the_scale():
    assert Scale(0, 3.66).ticks() == [0, 1, 2, 3]
    assert Scale(-0.7, 0.7).ticks() == pytest.approx([-0.5, 0, 0.5])
    assert Scale(0.02, 300, log=True).ticks() == pytest.approx([0.1, 1, 10, 100])


@settings(max_examples=60)
@given(VALUES, st.booleans())
def test_any_values_stand_within_the_plot_beside_ascending_ticks(values, log):
    scale = Scale.covering(np.array(values), log)
    placed, ticks = scale.place(np.array(values)), scale.ticks()
    assert ((placed >= TOP) & (placed <= HEIGHT - BOTTOM)).all()
    assert ticks
    assert ticks == sorted(set(ticks))
    assert all(scale.low * 0.99 <= tick <= scale.high * 1.01 for tick in ticks)


def test_a_span_begins_at_the_left_and_ends_at_the_right():
    span = Span.of_batches(3, 9)
    assert list(span.place(np.array([3, 6, 9]))) == [
        LEFT,
        (LEFT + WIDTH - RIGHT) / 2,
        WIDTH - RIGHT,
    ]
    assert span.write(1234) == "batch 1,234"
    assert Span.of_seconds(0, 600).write(600) == "10 min"


def test_a_span_of_one_batch_can_be_drawn():
    assert list(Span.of_batches(5, 5).place(np.array([5]))) == [LEFT]
