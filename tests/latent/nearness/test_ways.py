"""Lengths of paths, and the shortest way over a graph."""

import math

import numpy as np
import pytest
import torch

from latent.errors import LatentError
from latent.interpolation import lerp
from latent.nearness.path_length import measure_paths, measure_steps
from latent.nearness.path_neighbours import find_by_paths
from latent.nearness.ways import find_way


def identity(z):
    return z.numpy()


def test_the_path_along_a_great_circle_has_the_length_of_its_arc():
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    arc, angle = (
        measure_paths(identity, [(a, b)], metric)[0] for metric in ("euclidean", "cosine")
    )
    assert math.isclose(arc, math.pi, rel_tol=1e-3)
    assert math.isclose(angle, math.pi / 2, rel_tol=1e-4)
    straight = measure_paths(identity, [(a, b)], blend=lerp)[0]
    assert math.isclose(straight, math.sqrt(8), rel_tol=1e-6)


def test_a_picture_that_goes_back_and_forth_has_a_longer_path_than_its_ends_are_apart():
    a, b = torch.tensor([-3.0]), torch.tensor([3.0])
    waves = measure_paths(lambda z: torch.sin(3 * z).numpy(), [(a, b)], steps=200, blend=lerp)[0]
    assert waves > 5 * abs(2 * math.sin(9))
    assert measure_steps(np.array([[0.0], [1], [0]])).tolist() == [1, 1]


def test_a_path_without_steps_is_refused():
    with pytest.raises(LatentError, match="0 steps"):
        measure_paths(identity, [(torch.zeros(2), torch.ones(2))], steps=0)


def grid_with_a_hill():
    """Points of a grid; a step is as long as it is high where it leads."""
    places = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0)), -1).reshape(-1, 2)
    steep = 1 + 30 * np.exp(-((places - [4, 0]) ** 2).sum(1) / 4)

    def measure(edges):
        ends = np.array(edges)
        far = np.linalg.norm(places[ends[:, 0]] - places[ends[:, 1]], axis=1)
        direct = far > 3  # The edge straight through goes over the hill.
        return far * np.where(direct, 20, (steep[ends[:, 0]] + steep[ends[:, 1]]) / 2)

    return places, measure


def test_the_way_goes_around_a_hill_and_is_the_shortest_of_all():
    places, measure = grid_with_a_hill()
    way = find_way(places, 0, 8, 6, "euclidean", measure)
    assert (way.stops[0], way.stops[-1]) == (0, 8)
    assert max(places[way.stops][:, 1]) >= 3
    everything = find_way(places, 0, 8, 6, "euclidean", measure_all_first(places, measure))
    assert math.isclose(way.length, everything.length)
    assert way.measured < 250


def measure_all_first(places, measure):
    """Lengths that were all known before: a search over them by a plain matrix."""
    count = len(places)
    table = np.full((count, count), np.inf)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    for (i, j), length in zip(pairs, measure(pairs), strict=True):
        table[i, j] = table[j, i] = length
    return lambda edges: np.array([table[i, j] for i, j in edges])


def test_the_way_over_others_is_found_also_where_the_one_straight_there_is_shorter():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 5))
    far = lambda edges: np.array([np.linalg.norm(features[i] - features[j]) for i, j in edges])  # noqa: E731
    way = find_way(features, 3, 9, 5, "euclidean", far)
    assert (way.stops[0], way.stops[-1], len(way.stops) > 2) == (3, 9, True)
    assert way.length > np.linalg.norm(features[3] - features[9])
    assert way.length <= min(
        far([(3, other)])[0] + far([(other, 9)])[0]
        for other in set(range(60)) - {3, 9}
        if joined(features, 3, other) and joined(features, other, 9)
    )


def joined(features, a, b):
    """Whether one of the two is among the five nearest of the other."""
    table = np.linalg.norm(features[:, None] - features[None], axis=2)
    return any(y in table[x].argsort(kind="stable")[1:6] for x, y in ((a, b), (b, a)))


def test_there_is_no_way_over_a_gap_in_the_graph():
    features = np.concatenate([np.zeros((4, 1)), np.full((4, 1), 9.0)]) + np.arange(8)[:, None] / 9
    far = lambda edges: np.array([abs(features[i] - features[j])[0] for i, j in edges])  # noqa: E731
    assert find_way(features, 0, 7, 2, "euclidean", far) is None


def test_the_nearest_by_paths_are_exact_though_few_paths_are_measured():
    generator = np.random.default_rng(1)
    features = generator.normal(size=(500, 3))
    lengths = np.linalg.norm(features, axis=1) * generator.uniform(1, 1.5, 500)
    measured = []

    def measure(rows):
        measured.extend(rows)
        return lengths[rows]

    found, far = find_by_paths(features, np.zeros(3), 7, measure)
    assert np.array_equal(found, np.argsort(lengths)[:7])
    assert np.array_equal(far, np.sort(lengths)[:7])
    assert len(measured) < 150
    assert find_by_paths(features[:3], np.zeros(3), 7, lambda rows: lengths[rows])[0].size == 3
