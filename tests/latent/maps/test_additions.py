import numpy as np
import pytest

from benchmarks.trust import clusters
from latent.errors import LatentError
from latent.maps.additions import place_new_points


def test_a_new_point_lies_among_those_that_it_is_near_to():
    stream = np.random.default_rng(0)
    points = stream.random((800, 2))
    features = np.pad(points, ((0, 0), (0, 3)))
    new = stream.random((50, 2)) * 0.8 + 0.1
    placed = place_new_points(np.pad(new, ((0, 0), (0, 3))), features, points)
    assert np.linalg.norm(placed - new, axis=1).max() < 0.05


def test_a_point_that_is_there_lies_where_it_lies():
    features = clusters(6)(np.random.default_rng(1), 200)
    coordinates = np.random.default_rng(2).random((200, 2)).astype(np.float32)
    assert np.allclose(place_new_points(features[:20], features, coordinates), coordinates[:20])


def test_no_point_lands_between_two_islands():
    left, right = np.zeros((50, 3)), np.full((50, 3), 2.0)
    features = np.concatenate([left, right]) + np.random.default_rng(3).normal(0, 0.3, (100, 3))
    coordinates = np.repeat([[0.0, 0.5], [1.0, 0.5]], 50, axis=0)
    placed = place_new_points(np.full((1, 3), 0.9), features, coordinates)
    assert min(abs(placed[0, 0]), abs(placed[0, 0] - 1)) < 0.2


def test_features_of_another_space_are_refused():
    with pytest.raises(LatentError, match="3 features each, and those on the map 4"):
        place_new_points(np.zeros((1, 3)), np.zeros((9, 4)), np.zeros((9, 2)))
    assert place_new_points(np.zeros((0, 4)), np.zeros((9, 4)), np.zeros((9, 2))).shape == (0, 2)
