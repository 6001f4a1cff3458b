"""Since when two points that are neighbours in the end have been neighbours."""

from __future__ import annotations

import numpy as np


def find_onsets(neighbours: np.ndarray) -> np.ndarray:
    """Find when each of the last neighbours came to stay.

    Args:
        neighbours: int [T, N, k], the nearest others of each of N points at T times, ascending.

    Returns:
        int [N, k], for each neighbour of the last time the first time from which on it was one at
        all times.

    Example:
        >>> find_onsets(np.array([[[1], [0], [0]], [[2], [0], [0]], [[1], [0], [1]]]))
        array([[2],
               [0],
               [2]])
    """
    last = neighbours[-1]
    onsets = np.full(last.shape, len(neighbours) - 1)
    stays = np.ones(last.shape, bool)
    for time in range(len(neighbours) - 2, -1, -1):
        stays &= (last[:, :, None] == neighbours[time][:, None, :]).any(2)
        onsets[stays] = time
    return onsets
