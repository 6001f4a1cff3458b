"""The nearest points by how far the features travel on the way to them, exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from latent.errors import LatentError
from latent.nearness.distances import measure_pairs

AT_ONCE = 16  # So many paths are measured before the next are chosen.


def find_by_paths(
    features: np.ndarray,
    query: np.ndarray,
    k: int,
    measure: Callable[[Sequence[int]], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k rows to which the path is the shortest, measuring only those that can be.

    No path is shorter than its ends are apart. So rows are measured from the nearest on, until the
    next is farther away than the k-th shortest path is long.

    Args:
        features: float [N, num_features].
        query: float [num_features].
        k: how many; fewer come back where there are fewer rows.
        measure: rows -> lengths of the Euclidean paths of the features to them.

    Returns:
        (indices int64 [k], lengths float64 [k]), nearest first.

    Raises:
        LatentError: k below one.
    """
    if k < 1:
        raise LatentError(f"Asked for {k} neighbours; ask for one or more.")
    apart = measure_pairs(features, query[None])
    order = np.argsort(apart, kind="stable")
    lengths = np.full(len(features), np.inf)
    for start in range(0, len(order), AT_ONCE):
        rows = order[start : start + AT_ONCE]
        if start >= k and apart[rows[0]] > np.partition(lengths, k - 1)[k - 1]:
            break
        lengths[rows] = np.maximum(measure(rows.tolist()), apart[rows])
    nearest = np.argsort(lengths, kind="stable")[: min(k, len(features))]
    return nearest, lengths[nearest]
