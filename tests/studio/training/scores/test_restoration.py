"""PSNR and SSIM as they are defined, written down once more without any library."""

import numpy as np
import pytest

from studio.training.scores.restoration import MAX_DB, measure_restoration, to_luma


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    truths = rng.integers(0, 256, (2, 20, 20, 3), dtype=np.uint8)
    made = np.clip(truths + rng.normal(0, 12, truths.shape), 0, 255).astype(np.uint8)
    return made, truths


def luma(picture):
    r, g, b = (picture[..., channel].astype(float) for channel in range(3))
    return 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255


def plain_ssim(x, y):
    """SSIM by a loop over all windows of 11 x 11 that lie within the pictures."""
    axis = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    weights = np.outer(axis, axis) / np.outer(axis, axis).sum()
    c1, c2, found = (0.01 * 255) ** 2, (0.03 * 255) ** 2, []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = x[top : top + 11, left : left + 11], y[top : top + 11, left : left + 11]
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
            both = (weights * (a - mean_a) * (b - mean_b)).sum()
            above = (2 * mean_a * mean_b + c1) * (2 * both + c2)
            found.append(above / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))
    return np.mean(found)


def test_both_are_means_over_pictures_of_luma_without_the_border(pictures):
    made, truths = pictures
    inner = slice(4, -4)
    ratios, likenesses = [], []
    for one, other in zip(made, truths, strict=True):
        x, y = luma(one)[inner, inner], luma(other)[inner, inner]
        ratios.append(10 * np.log10(255**2 / ((x - y) ** 2).mean()))
        likenesses.append(plain_ssim(x, y))
    psnr, ssim = measure_restoration(made, truths, 4)
    assert psnr == pytest.approx(np.mean(ratios), abs=1e-9)
    assert ssim == pytest.approx(np.mean(likenesses), abs=1e-9)


def test_equal_pictures_are_as_good_as_can_be(pictures):
    psnr, ssim = measure_restoration(pictures[1], pictures[1], 2)
    assert (psnr, ssim) == (MAX_DB, pytest.approx(1.0))


def test_luma_has_the_head_room_of_video():
    ends = np.array([0, 255], np.uint8)[:, None, None, None].repeat(3, axis=3)
    assert to_luma(ends).flatten().tolist() == pytest.approx([16, 235])
