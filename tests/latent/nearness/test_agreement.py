"""Agreement of spaces: 1 for the same, 0 for chance."""

import numpy as np
import pytest

from latent.errors import LatentError
from latent.nearness.agreement import list_neighbours, measure_agreement


def test_a_space_agrees_with_itself_and_unrelated_ones_by_chance_alone():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 500, 12))
    near_a, near_b = list_neighbours(a, 10), list_neighbours(b, 10)
    assert measure_agreement(near_a, near_a).corrected == 1
    other = measure_agreement(near_a, near_b)
    assert other.by_chance == 10 / 499
    assert abs(other.corrected) < 0.02


def test_the_share_is_that_of_the_common_ones():
    a, b = np.array([[1, 2], [2, 3], [3, 0], [0, 1]]), np.array([[1, 3], [3, 2], [0, 1], [2, 3]])
    assert measure_agreement(a, b).shared == (1 + 2 + 1 + 0) / 8


def test_nobody_is_a_neighbour_of_itself_also_where_many_lie_in_one_place():
    features = np.array([[0.0], [0], [0], [0], [5], [6]])
    near = list_neighbours(features, 2)
    assert near.shape == (6, 2)
    assert not (near == np.arange(6)[:, None]).any()
    assert near[5].tolist() == [4, 0]


def test_too_many_neighbours_are_refused():
    with pytest.raises(LatentError, match="use 1 to 4"):
        list_neighbours(np.eye(6), 5)
