"""Put thumbnails on a map so that none hides another."""

from __future__ import annotations

import math

import numpy as np


def place_on_grid(coordinates: np.ndarray, spread: float = 1.6) -> tuple[np.ndarray, int]:
    """Give each point a cell of its own, as near to where it belongs as is free.

    Points at the centre of the map choose first, so that crowding is pushed outwards.

    Args:
        coordinates: float [N, 2] in the unit square, x to the right and y upwards.
        spread: cells for each point; more leaves more of the map's shape.

    Returns:
        (cells int [N, 2] as row and column, number of cells along each side).
    """
    side = max(1, math.ceil(math.sqrt(len(coordinates) * spread)))
    wanted = np.column_stack([1 - coordinates[:, 1], coordinates[:, 0]]) * (side - 1)
    rows, columns = np.divmod(np.arange(side * side), side)
    free = np.ones(side * side, bool)
    cells = np.zeros((len(coordinates), 2), int)
    for point in np.argsort(((coordinates - 0.5) ** 2).sum(1), kind="stable"):
        row, column = wanted[point]
        distance = (rows - row) ** 2 + (columns - column) ** 2
        cell = int(np.where(free, distance, np.inf).argmin())
        free[cell] = False
        cells[point] = rows[cell], columns[cell]
    return cells, side
