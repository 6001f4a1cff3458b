"""The test for structure: calibrated on noise, certain of clusters and surfaces."""

import numpy as np
import pytest

from benchmarks.trust import clusters, gaussian, simplex, swiss_roll, torus
from latent.trust.structure import find_structure, main_scores


@pytest.mark.parametrize("cloud", [clusters(2), clusters(50), simplex(50), swiss_roll, torus])
@pytest.mark.parametrize("count", [500, 2000])
def test_clusters_and_surfaces_have_structure(cloud, count):
    structure = find_structure(cloud(np.random.default_rng(count), count))
    assert structure.found
    assert structure.p == 0.01
    assert structure.effect > 10
    assert structure.nearness < 0.95


@pytest.mark.parametrize(
    ("dimensions", "power", "count"), [(2, 0, 500), (30, 1, 500), (200, 0, 120), (300, 1, 60)]
)
def test_p_is_uniform_for_gaussians_even_where_points_are_fewer_than_dimensions(
    dimensions, power, count
):
    draw = gaussian(dimensions, power)
    tested = [
        find_structure(draw(np.random.default_rng(n), count), seed=n, references=19).p
        for n in range(60)
    ]
    # Each p is one of 0.05, 0.1, ..., 1 with equal chances: the mean of 60 has deviation 0.037.
    assert 0.525 - 0.13 < np.mean(tested) < 0.525 + 0.13
    assert np.mean(np.array(tested) <= 0.1) <= 0.25


def test_a_surface_fills_fewer_directions_than_its_references():
    structure = find_structure(swiss_roll(np.random.default_rng(0), 1500))
    assert structure.dimension == pytest.approx(2.1, abs=0.35)
    assert structure.reference_dimension == pytest.approx(3, abs=0.4)


def test_the_references_have_the_covariance_of_the_points():
    from latent.trust.structure import _draw_directions

    points = np.random.default_rng(1).normal(size=(80, 5)) * [5, 3, 1, 1, 0.1]
    scores, spreads = main_scores(points)
    own = (scores * spreads).T @ (scores * spreads)
    drawn = _draw_directions(np.random.default_rng(2), 80, 5) * spreads
    assert np.allclose(own, drawn.T @ drawn)
    assert np.allclose(drawn.mean(0), 0)
    assert not np.allclose(drawn, scores * spreads, atol=1)


def test_the_same_seed_says_the_same():
    points = np.random.default_rng(3).normal(size=(700, 4))
    assert find_structure(points, seed=5) == find_structure(points, seed=5)


@pytest.mark.parametrize("points", [np.zeros((50, 3)), np.ones((5, 2)), np.eye(4)])
def test_points_that_are_equal_or_too_few_have_no_structure(points):
    structure = find_structure(points)
    assert (structure.found, structure.p) == (False, 1.0)


def test_one_number_a_point_will_do():
    stream = np.random.default_rng(4)
    two = np.where(stream.random(600) < 0.5, -5, 5)[:, None] + stream.normal(size=(600, 1))
    assert find_structure(two).found
    assert not find_structure(stream.normal(size=(600, 1))).found


def test_repeated_points_are_no_error():
    points = np.repeat(np.random.default_rng(5).normal(size=(20, 3)), 30, axis=0)
    assert find_structure(points).found
