import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.screens.parts.charts.chart import (
    MAX_CURVE_POINTS,
    Curve,
    Mark,
    draw_bands,
    draw_curves,
)
from studio.screens.parts.charts.scales import HEIGHT, WIDTH, Span


def curve(values, title="D", colour="--water"):
    y = np.array(values, float)
    return Curve(title, colour, np.arange(1.0, len(y) + 1), y)


def drawn(*curves, **how):
    span = Span.of_batches(1, max(len(curve.x) for curve in curves))
    return draw_curves(curves, span, "Losses", **how)


def paths(svg):
    """The points of every curve, [N, 2] each."""
    curves = re.findall(r' d="M ([^"hL]+)', svg)
    return [np.array(points.split(), float).reshape(-1, 2) for points in curves]


def test_a_curve_is_drawn_as_it_was_and_smoothed():
    rough, smooth = paths(drawn(curve([batch % 2 for batch in range(50)])))
    assert np.ptp(rough[:, 1]) > 5 * np.ptp(smooth[5:-5, 1])


def test_a_long_run_is_thinned_out_and_its_one_spike_stays():
    values = np.zeros(20_000)
    values[12_345] = 1000.0
    rough, smooth = paths(drawn(curve(values + 1), log=True))
    assert len(rough) <= MAX_CURVE_POINTS
    assert len(smooth) == MAX_CURVE_POINTS
    assert rough[:, 1].min() < 20 < np.median(rough[:, 1])


def test_a_value_that_is_no_number_is_left_out():
    rough, smooth = paths(drawn(curve([math.nan if b == 7 else 1.0 for b in range(20)])))
    assert (len(rough), len(smooth)) == (19, 19)


def test_on_a_logarithmic_scale_what_is_not_positive_has_no_place():
    rough, _ = paths(drawn(curve([0, 1, 10, 100, -3]), log=True))
    steps = np.diff(rough[:, 1])
    assert len(rough) == 3
    assert steps[0] == pytest.approx(steps[1], abs=0.2)


def test_where_nothing_is_known_nothing_is_drawn():
    assert drawn(curve([math.nan] * 5)) == ""
    assert drawn(curve([0, 0, 0]), log=True) == ""


def test_bands_fill_the_whole_and_keep_their_parts():
    svg = draw_bands([curve([1.0] * 9), curve([3.0] * 9)], Span.of_batches(1, 9), "Time")
    areas = re.findall(r'class="band"[^>]* d="M ([\d. ]+) L ([\d. ]+) Z"', svg)
    heights = [float(floor.split()[-1]) - float(top.split()[1]) for top, floor in areas]
    assert heights[1] == pytest.approx(3 * heights[0], rel=0.01)


def test_a_mark_says_what_happened_and_can_be_focused():
    marks = [Mark(5, "wrong", "Batch 5: <b>NaN</b>"), Mark(99, "changed", "of another stretch")]
    svg = drawn(curve(range(10)), marks=marks)
    assert svg.count('class="mark') == 1
    assert 'tabindex="0" role="note" aria-label="Batch 5: &lt;b&gt;NaN&lt;/b&gt;"' in svg


@settings(max_examples=60)
@given(st.lists(st.floats(), min_size=1, max_size=40), st.booleans())
def test_whatever_the_values_are_every_point_lies_within_the_drawing(values, log):
    for points in paths(drawn(curve(values), log=log)):
        assert np.isfinite(points).all()
        assert (points >= 0).all()
        assert (points <= (WIDTH, HEIGHT)).all()
