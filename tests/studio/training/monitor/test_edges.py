import numpy as np
import pytest
import torch
from scipy import linalg, ndimage

from studio.training.monitor.edges import (
    compare_edges,
    describe_windows,
    frechet_distance,
    share_within,
)
from studio.workspace.errors import EXPECTED_ERRORS

ONE_DIRECTION, CORNERS, FLAT, FAINT, STEEP = 1, 4, 5, 6, 7  # Places in the features of a window.


def blocks(seed, count=64):
    """Flat blocks between straight streets at random places, uint8 [count, 64, 64, 3]."""
    rng = np.random.default_rng(seed)
    pictures = np.empty((count, 64, 64, 3), np.uint8)
    for picture in pictures:
        picture[:] = rng.integers(60, 160, 3)
        row, column = rng.integers(4, 52, 2)
        picture[row : row + 5] = picture[:, column : column + 5] = 240
    return pictures


def rounded(pictures):
    """The same with soft edges and round corners."""
    return ndimage.gaussian_filter(pictures, (0, 2, 2, 0))


def wobbling(pictures, seed=0):
    """The same with streets that wobble by some pixels, as sharp as before."""
    rng = np.random.default_rng(seed)
    moved = pictures.copy()
    for picture in moved:
        shifts = ndimage.gaussian_filter1d(rng.normal(0, 12, 64), 3)
        for row in range(64):
            picture[row] = np.roll(picture[row], int(shifts[row]), axis=0)
    return moved


def streaky(pictures, seed=0):
    """The same with faint stripes across the flat areas."""
    stripes = np.random.default_rng(seed).normal(0, 12, (len(pictures), 1, 64, 1))
    return (pictures + stripes).clip(0, 255).astype(np.uint8)


def test_real_pictures_are_nearer_to_each_other_than_to_any_spoiled_ones():
    reals, others = blocks(0), blocks(1)
    honest = compare_edges(reals, others)
    assert honest.precision > 0.7
    assert honest.recall > 0.7
    for spoil in (rounded, wobbling, streaky):
        spoiled = compare_edges(reals, spoil(others))
        assert spoiled.distance > 10 * honest.distance, spoil
        assert spoiled.precision < honest.precision - 0.3, spoil


def test_what_is_spoiled_more_is_farther():
    reals, others = blocks(0), blocks(1)
    once, twice = rounded(others), rounded(rounded(others))
    distances = [compare_edges(reals, pictures).distance for pictures in (others, once, twice)]
    assert distances == sorted(distances)


def test_pictures_of_one_kind_alone_have_precision_without_recall():
    reals = np.concatenate([blocks(0, 32), streaky(blocks(1, 32))])
    found = compare_edges(reals, blocks(2))
    assert found.precision > 0.7
    assert found.recall < 0.6


def test_the_same_pictures_compare_the_same_each_time():
    assert compare_edges(blocks(0), blocks(1)) == compare_edges(blocks(0), blocks(1))


def test_a_window_is_described_the_same_after_a_quarter_turn():
    pictures = torch.from_numpy(wobbling(blocks(3, 4))).permute(0, 3, 1, 2) / 255
    turned = describe_windows(torch.rot90(pictures, 1, (2, 3)))
    order = torch.rot90(torch.arange(16).view(4, 4), 1).flatten()
    torch.testing.assert_close(turned, describe_windows(pictures)[:, order], atol=1e-3, rtol=1e-3)


def test_the_features_mean_what_they_say():
    street = torch.zeros(1, 3, 16, 16)
    street[..., 6:10] = 1.0
    crossing = street.clone()
    crossing[..., 6:10, :] = 1.0
    of_street, of_crossing = (describe_windows(picture)[0, 0] for picture in (street, crossing))
    assert of_street[ONE_DIRECTION] > 0.99
    assert of_crossing[ONE_DIRECTION] < 0.05
    assert of_street[CORNERS] < 1e-3 < 0.1 < of_crossing[CORNERS]
    # Each of the two edges is as wide as the kernel reaches: two of 16 pixels.
    assert of_street[FLAT] == pytest.approx(12 / 16)
    assert of_street[STEEP] == pytest.approx(4 / 16)
    assert describe_windows(street * 0.05)[0, 0][FAINT] == pytest.approx(4 / 16)


def test_the_frechet_distance_is_that_of_a_matrix_root():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 4)), rng.normal(1, 2, size=(300, 4)) @ rng.normal(size=(4, 4))
    covariances = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(sum(covariances) - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_a_point_is_within_a_manifold_as_far_as_the_third_neighbour_of_one_of_its_points():
    manifold = np.array([[0.0], [1.0], [2.0], [3.0]])
    points = np.array([[-2.9], [-3.1], [1.5], [5.9], [6.1], [9.0]])
    assert share_within(points, manifold) == pytest.approx(3 / 6)


@pytest.mark.parametrize(
    ("shape", "words"), [((4, 16, 16, 3), "32 px or more"), ((5, 64, 64, 3), "as many")]
)
def test_what_cannot_be_compared_is_refused(shape, words):
    reals = np.zeros((4, *shape[1:]), np.uint8)
    with pytest.raises(EXPECTED_ERRORS, match=words):
        compare_edges(reals, np.zeros(shape, np.uint8))
