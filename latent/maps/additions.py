"""Put new points on a map that is there, without moving anything on it."""

from __future__ import annotations

import numpy as np

from latent import find_neighbours
from latent.errors import LatentError

SAME = 1e-3  # Nearer to one point than this share of the way to the last neighbour: that point.
NEIGHBOURS = 8  # A new point lies among so many of those that are nearest to it in the space.


def place_new_points(new: np.ndarray, features: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """Place points on a map between those that they are near to.

    Each neighbour pulls with exp(-(distance - nearest) / scale), as UMAP weighs them, where the
    scale is the mean of the distances beyond the nearest. Only neighbours on the nearest one's part
    of the map pull: a mean between two islands would lie in the sea.

    Args:
        new: float [M, D], features of the new points.
        features: float [N, D], features of those on the map.
        coordinates: float [N, 2].

    Returns:
        float32 [M, 2]. A point that equals one on the map lies where that one lies.

    Raises:
        LatentError: the two have features of different lengths.
    """
    if new.shape[1:] != features.shape[1:]:
        raise LatentError(
            f"The new points have {new.shape[-1]} features each, and those on the map "
            f"{features.shape[1]}: describe them by the same space."
        )
    if not len(new):
        return np.zeros((0, 2), np.float32)
    indices, distances = find_neighbours(features, new, NEIGHBOURS)
    beyond = distances - distances[:, :1]
    scale = np.maximum(beyond.mean(1, keepdims=True), 1e-12)
    places = coordinates[indices]  # [M, k, 2]
    away = np.linalg.norm(places - places[:, :1], axis=2)
    reach = np.median(away, axis=1, keepdims=True)
    weights = np.exp(-beyond / scale) * (away <= 2 * reach)
    is_there = distances[:, :1] <= SAME * distances[:, -1:]
    weights = np.where(is_there, np.arange(weights.shape[1]) == 0, weights)
    total = (places * weights[:, :, None]).sum(1) / weights.sum(1, keepdims=True)
    return np.asarray(total, np.float32)
