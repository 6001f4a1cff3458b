"""The shortest way between two points over the graph of nearest neighbours."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from latent.nearness.agreement import list_neighbours
from latent.nearness.distances import measure_pairs
from latent.nearness.path_length import to_angles

Edge = tuple[int, int]
LEAST = 1e-12  # Two points in one place are joined by an edge of this length, not by none.


@dataclass(frozen=True)
class Way:
    """A way over the graph.

    Attributes:
        stops: rows, from the start to the end.
        length: the sum of its edges as they were measured.
        measured: how many edges were measured to find it.
    """

    stops: list[int]
    length: float
    measured: int


def find_way(
    features: np.ndarray,
    start: int,
    end: int,
    k: int,
    metric: str,
    measure: Callable[[Sequence[Edge]], np.ndarray],
) -> Way | None:
    """Find the shortest way over edges between nearest neighbours that leads over another row.

    The straight distance of two points is never longer than a path between them, so it bounds each
    edge until the edge is measured. Only edges of ways that may be the shortest are measured, and
    the way that comes out is the shortest as if all had been (Dellin and Srinivasa 2016). The edge
    straight from start to end is none of it, so the way may be longer than that one.

    Args:
        features: float [N, num_features].
        start, end: rows.
        k: neighbours that each row is joined to.
        metric: `euclidean`, or `cosine` for angles in radians.
        measure: edges as pairs of rows -> lengths of the paths along them, in the same metric.

    Returns:
        The way; None where no edges lead from start to end over another row.

    Raises:
        LatentError: k is out of range.
    """
    edges = _join(list_neighbours(features, k, metric), start, end)
    lengths = measure_pairs(features[edges[:, 0]], features[edges[:, 1]], metric)
    lengths = np.maximum(lengths if metric == "euclidean" else to_angles(lengths), LEAST)
    known = np.zeros(len(edges), bool)
    number = {(int(a), int(b)): i for i, (a, b) in enumerate(edges)}
    while True:
        stops = _search(edges, lengths, len(features), start, end)
        if stops is None:
            return None
        passed = [number[min(a, b), max(a, b)] for a, b in itertools.pairwise(stops)]
        new = [i for i in passed if not known[i]]
        if not new:
            return Way(stops, float(lengths[passed].sum()), int(known.sum()))
        measured = measure([(int(edges[i, 0]), int(edges[i, 1])) for i in new])
        lengths[new] = np.maximum(measured, lengths[new])
        known[new] = True


def _join(neighbours: np.ndarray, start: int, end: int) -> np.ndarray:
    """Each edge once but that from start to end, the smaller row first: int64 [E, 2]."""
    rows = np.repeat(np.arange(len(neighbours)), neighbours.shape[1])
    edges = np.unique(np.sort(np.column_stack([rows, neighbours.ravel()]), axis=1), axis=0)
    kept: np.ndarray = edges[(edges != sorted((start, end))).any(axis=1)]
    return kept


def _search(
    edges: np.ndarray, lengths: np.ndarray, count: int, start: int, end: int
) -> list[int] | None:
    """The shortest way by the lengths as they are known so far (Dijkstra 1959), if there is one."""
    graph = coo_matrix((lengths, (edges[:, 0], edges[:, 1])), (count, count)).tocsr()
    _, before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)
    if before[end] < 0:
        return None
    stops = [end]
    while stops[-1] != start:
        stops.append(int(before[stops[-1]]))
    return stops[::-1]
