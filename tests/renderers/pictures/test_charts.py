import numpy as np
import pytest

from renderers.errors import RenderError
from renderers.pictures.charts import LEFT_PX, LINE, RIGHT_PX, WIDTH_PX, Panel, draw_charts


def drawn_columns(picture):
    """The columns in which the colour of curves is seen."""
    near = np.abs(picture.astype(int) - LINE).sum(2) < 40
    return np.flatnonzero(near.any(0))


def test_a_curve_goes_up_where_values_do_and_spans_its_part_of_the_axis():
    x = np.linspace(0, 50, 20)
    picture = draw_charts([Panel("up", x, x)], (0, 100), "title")
    columns = drawn_columns(picture)
    assert columns[0] == pytest.approx(LEFT_PX, abs=2)
    assert columns[-1] == pytest.approx((LEFT_PX + WIDTH_PX - RIGHT_PX) / 2, abs=2)
    near = np.abs(picture.astype(int) - LINE).sum(2) < 40
    heights = [np.flatnonzero(near[:, column]).mean() for column in (columns[3], columns[-3])]
    assert heights[0] > heights[1] + 80


def test_panels_lie_below_each_other_and_what_is_not_finite_is_left_out():
    x = np.arange(5.0)
    values = np.array([1, np.nan, 3, 2, np.inf])
    one = draw_charts([Panel("a", x, values)], (0, 4), "")
    two = draw_charts([Panel("a", x, values), Panel("none", x, x * np.nan)], (0, 4), "")
    assert two.shape == one.shape
    both = draw_charts([Panel("a", x, values), Panel("b", x, x, marked=True)], (0, 4), "", "©")
    assert both.shape[0] > 1.5 * one.shape[0]


def test_nothing_to_draw_is_a_sentence():
    with pytest.raises(RenderError, match="Nothing to draw"):
        draw_charts([Panel("none", np.zeros(0), np.zeros(0))], (0, 1), "")
    flat = draw_charts([Panel("flat", np.array([3.0]), np.array([7.0]))], (3, 3), "one value")
    assert len(drawn_columns(flat))
