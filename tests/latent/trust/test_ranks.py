"""The area under R_NX against its definition, and against what it must say."""

import numpy as np
import pytest

from latent.trust import ranks
from latent.trust.ranks import compare_ranks


def rank_all(points):
    distances = ((points[:, None] - points[None]) ** 2).sum(2)
    np.fill_diagonal(distances, -1)
    return distances.argsort(1).argsort(1)


def area_by_definition(first, second):
    """R_NX(K) for every K by sets, as the papers write it."""
    count = len(first)
    true, drawn = rank_all(first), rank_all(second)
    areas = []
    for i in range(count):
        total = weight = 0.0
        for k in range(1, count - 1):
            near = {j for j in range(count) if 1 <= true[i, j] <= k}
            near &= {j for j in range(count) if 1 <= drawn[i, j] <= k}
            total += ((count - 1) * len(near) / k - k) / (count - 1 - k) / k
            weight += 1 / k
        areas.append(total / weight)
    return np.array(areas)


def test_the_area_of_every_point_is_that_of_the_definition():
    stream = np.random.default_rng(0)
    first = stream.normal(size=(40, 5))
    second = first[:, :2] + 0.2 * stream.normal(size=(40, 2))
    measured = compare_ranks(first, second)
    expected = area_by_definition(first, second)
    assert np.allclose(measured.area_each, expected, atol=1e-5)
    assert measured.area == pytest.approx(expected.mean(), abs=1e-5)


def test_trustworthiness_and_continuity_are_those_of_scikit_learn():
    from sklearn.manifold import trustworthiness

    stream = np.random.default_rng(1)
    first = stream.normal(size=(200, 6))
    second = first[:, :2] + 0.1 * stream.normal(size=(200, 2))
    measured = compare_ranks(first, second)
    assert measured.trustworthiness == pytest.approx(
        trustworthiness(first, second, n_neighbors=15), abs=1e-6
    )
    assert measured.continuity == pytest.approx(
        trustworthiness(second, first, n_neighbors=15), abs=1e-6
    )


def test_the_same_points_agree_wholly_and_shuffled_ones_by_chance_only():
    points = np.random.default_rng(2).normal(size=(600, 4))
    turned = points @ np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))[0] * 7 + 100
    assert compare_ranks(points, turned).area > 0.99
    shuffled = np.random.default_rng(4).permutation(points)
    assert abs(compare_ranks(points, shuffled).area) < 0.02


def test_blocks_change_nothing(monkeypatch):
    stream = np.random.default_rng(5)
    first, second = stream.normal(size=(90, 8)), stream.normal(size=(90, 2))
    whole = compare_ranks(first, second)
    monkeypatch.setattr(ranks, "BLOCK_VALUES", 90 * 7)
    parts = compare_ranks(first, second)
    assert np.array_equal(whole.area_each, parts.area_each)
    assert parts.trustworthiness == pytest.approx(whole.trustworthiness, abs=1e-12)


def test_of_many_points_a_sample_is_measured_which_says_nearly_the_same():
    stream = np.random.default_rng(6)
    first = stream.normal(size=(1500, 3))
    second = first[:, :2]
    whole, sampled = compare_ranks(first, second), compare_ranks(first, second, max_rows=400)
    assert (whole.measured, sampled.measured) == (1500, 400)
    assert sampled.area == pytest.approx(whole.area, abs=0.02)
    assert sampled.area_each.shape == (1500,)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_points_to_be_wrong_agree(count):
    points = np.zeros((count, 2))
    assert compare_ranks(points, points).area == 1
    assert len(compare_ranks(points, points).area_each) == count


@pytest.mark.parametrize("count", [4, 5, 6, 20])
def test_few_points_are_measured(count):
    points = np.random.default_rng(7).normal(size=(count, 2))
    measured = compare_ranks(points, points)
    assert measured.area == pytest.approx(1, abs=1e-5)
    assert measured.trustworthiness == measured.continuity == 1
