"""How far two spaces agree on what is near: common neighbours, corrected for chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latent.errors import LatentError
from latent.nearness.neighbours import find_neighbours


@dataclass(frozen=True)
class Agreement:
    """How far two lists of neighbours of the same points agree.

    Attributes:
        shared: the share of the neighbours that are common, averaged over the points, 0..1.
        by_chance: what that share is where the lists have nothing to do with each other.
        corrected: 1 for the same neighbours and 0 for chance; a little below 0 is chance too.
    """

    shared: float
    by_chance: float
    corrected: float


def list_neighbours(features: np.ndarray, k: int, metric: str = "euclidean") -> np.ndarray:
    """The k nearest other rows of every row.

    Args:
        features: float [N, num_features].
        k: 1..N - 2.
        metric: one of `latent.nearness.distances.METRICS`.

    Returns:
        int64 [N, k], nearest first; never the row itself, also where others lie in its place.

    Raises:
        LatentError: k is out of range, or as `find_neighbours`.
    """
    if not 1 <= k <= len(features) - 2:
        raise LatentError(
            f"{k} neighbours of {len(features)} points say nothing: use 1 to {len(features) - 2}."
        )
    found, _ = find_neighbours(features, features, k + 1, metric)
    others = found != np.arange(len(found))[:, None]
    others[others.all(1), -1] = False  # Where more lie in one place, the row itself may be missing.
    return np.asarray(found[others]).reshape(len(found), k)


def measure_agreement(a: np.ndarray, b: np.ndarray) -> Agreement:
    """Compare the neighbours of the same points in two spaces, or at two checkpoints.

    Args:
        a, b: int [N, k], as `list_neighbours` gives them.
    """
    count, k = a.shape
    rows = np.arange(count)[:, None] * count  # Makes one number of a point and its neighbour.
    common = np.intersect1d(a + rows, b + rows, assume_unique=True)
    shared = len(common) / (count * k)
    by_chance = k / (count - 1)
    return Agreement(shared, by_chance, (shared - by_chance) / (1 - by_chance))
