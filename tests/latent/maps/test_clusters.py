import numpy as np
import pytest

from benchmarks.trust import gaussian
from latent.maps.clusters import find_clusters, rank_density
from latent.maps.layout import find_graph


def islands(counts):
    stream = np.random.default_rng(0)
    centres = np.array([[0.0, 0], [10, 0], [0, 10]])
    return np.concatenate(
        [c + stream.normal(size=(n, 2)) for c, n in zip(centres, counts, strict=True)]
    ).astype(np.float32)


def test_islands_are_found_the_largest_first_each_with_a_point_of_its_middle():
    points = islands([60, 200, 100])
    members, clusters = find_clusters(points, points, find_graph(points))
    assert [cluster.count for cluster in clusters] == sorted(
        (np.bincount(members[members >= 0])), reverse=True
    )
    assert len(clusters) == 3
    assert [60 <= c.representative < 260 for c in clusters] == [True, False, False]
    assert np.linalg.norm(points[clusters[0].representative] - [10, 0]) < 0.5
    assert all(cluster.kept > 0.9 > cluster.by_chance for cluster in clusters)


def test_islands_that_only_the_map_has_are_told():
    points = islands([100, 100, 100])
    noise = gaussian(50)(np.random.default_rng(1), 300).astype(np.float32)
    _, clusters = find_clusters(points, noise, find_graph(noise))
    assert all(c.kept == pytest.approx(c.by_chance, abs=0.1) for c in clusters)


def test_few_points_have_no_clusters():
    points = islands([3, 3, 3])
    members, clusters = find_clusters(points, points, find_graph(points))
    assert (set(members), clusters) == ({-1}, [])


def test_density_is_highest_in_the_middle():
    points = gaussian(2)(np.random.default_rng(2), 500).astype(np.float32)
    density = rank_density(find_graph(points))
    radius = np.linalg.norm(points, axis=1)
    assert density[radius < 0.5].mean() > 0.7 > 0.2 > density[radius > 2].mean()
    assert (density.min(), density.max()) == (0, 1)
