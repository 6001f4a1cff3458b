import math
import re

import numpy as np

from studio.screens.chart import MOST_POINTS, draw_losses


def entries(count, value=lambda batch: 1.0):
    names = ("d_real", "d_fake", "g")
    return [{"batch": b, **{name: value(b) for name in names}} for b in range(1, count + 1)]


def paths(svg):
    """The points of every curve, [N, 2] each."""
    curves = re.findall(r' d="M ([^"]+)"', svg)
    return [np.array(curve.split(), float).reshape(-1, 2) for curve in curves]


def test_each_loss_is_drawn_as_it_was_and_smoothed():
    curves = paths(draw_losses(entries(50, lambda batch: batch % 2)))
    assert len(curves) == 6
    rough, smooth = curves[:2]
    assert np.ptp(rough[:, 1]) > 5 * np.ptp(smooth[5:-5, 1])


def test_a_long_run_is_thinned_out():
    assert all(len(curve) == MOST_POINTS for curve in paths(draw_losses(entries(5000))))


def test_a_loss_that_is_no_number_is_left_out():
    curves = paths(draw_losses(entries(20, lambda batch: math.nan if batch == 7 else 1.0)))
    assert [len(curve) for curve in curves] == [19, 20] * 3


def test_before_the_second_batch_there_is_nothing_to_draw():
    assert "<svg" not in draw_losses([])
    assert "<svg" not in draw_losses(entries(1))
    assert "<svg" not in draw_losses(entries(5, lambda batch: math.nan))
