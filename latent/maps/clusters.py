"""Find groups of points on a map, one point that stands for each, and how dense the map is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import HDBSCAN

from latent.maps.layout import NeighbourGraph

MIN_SHARE = 0.01  # A cluster has at least so many of the points,
MIN_MEMBERS = 5  # and at least so many.


@dataclass(frozen=True)
class Cluster:
    """A group of points that lie together on a map.

    Args:
        count: points in it.
        representative: the one nearest to their mean in the space, a row of the features.
        kept: the share of its points' nearest in the space that lie in it too, 0..1.
        by_chance: what that share would be if its points were anywhere.
    """

    count: int
    representative: int
    kept: float
    by_chance: float


def find_clusters(
    coordinates: np.ndarray, features: np.ndarray, graph: NeighbourGraph
) -> tuple[np.ndarray, list[Cluster]]:
    """Find clusters on a map (HDBSCAN, Campello et al. 2013), and ask the space about each.

    A layout draws islands even of noise: `kept` says how far the space has them as well.

    Args:
        coordinates: float [N, 2].
        features: float [N, D], of the same points.
        graph: their neighbours in the space.

    Returns:
        (int [N], the cluster of each point, -1 where it is in none; clusters, the largest first).
    """
    least = max(MIN_MEMBERS, round(MIN_SHARE * len(coordinates)))
    if len(coordinates) < 2 * least:
        return np.full(len(coordinates), -1), []
    found = HDBSCAN(min_cluster_size=least, copy=True).fit(np.asarray(coordinates, np.float64))
    sizes = np.bincount(found.labels_[found.labels_ >= 0])
    order = np.argsort(-sizes, kind="stable")
    renamed = np.append(np.argsort(order), -1)  # -1, in no cluster, stays -1.
    members = renamed[found.labels_]
    return members, [_describe(members == n, features, graph) for n in range(len(sizes))]


def _describe(inside: np.ndarray, features: np.ndarray, graph: NeighbourGraph) -> Cluster:
    rows = np.flatnonzero(inside)
    away = np.linalg.norm(features[rows] - features[rows].mean(0), axis=1)
    return Cluster(
        len(rows),
        int(rows[away.argmin()]),
        float(inside[graph.indices[rows, 1:]].mean()),
        (len(rows) - 1) / max(1, len(inside) - 1),
    )


def rank_density(graph: NeighbourGraph) -> np.ndarray:
    """How crowded the space is around each point, from the distance to its farthest neighbour.

    Returns:
        float32 [N], 0..1: the share of the points around which it is emptier.
    """
    reach = graph.distances[:, -1]
    emptier = len(reach) - np.searchsorted(np.sort(reach), reach, side="right")
    return (emptier / max(1, len(reach) - 1)).astype(np.float32)
