"""Find the nearest latent points, exactly."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from latent.errors import LatentError
from latent.features import METRICS


def find_neighbours(
    features: np.ndarray, query: np.ndarray, k: int, metric: str = "euclidean"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k rows nearest to each query by comparing all of them, so the result is exact.

    Args:
        features: float [N, num_features].
        query: float [Q, num_features].
        k: how many; fewer come back where there are fewer rows.
        metric: one of METRICS.

    Returns:
        (indices int [Q, k], distances float [Q, k]), nearest first.

    Raises:
        LatentError: k below one, or no such metric.
    """
    if k < 1:
        raise LatentError(f"Asked for {k} neighbours; ask for one or more.")
    if metric not in METRICS:
        raise LatentError(f"There is no metric '{metric}'. Known: {', '.join(METRICS)}.")
    search = NearestNeighbors(n_neighbors=min(k, len(features)), metric=metric, algorithm="brute")
    distances, indices = search.fit(features).kneighbors(query)
    return indices, distances
