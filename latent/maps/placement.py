"""Put thumbnails on a map so that none hides another."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import cKDTree

SPREAD = 1.6  # Cells for each point.
FIRST_REACH = 2  # Cells around a point's own place that are looked at first.
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
PUSH_SHARE = 0.5  # Each of two points that are too near goes so much of the way that lacks.


def place_on_grid(coordinates: np.ndarray, spread: float = SPREAD) -> tuple[np.ndarray, int]:
    """Give each point a cell of its own, as near to where it belongs as is free.

    Points at the centre of the map choose first, so that crowding is pushed outwards.

    Args:
        coordinates: float [N, 2] in the unit square, x to the right and y upwards.
        spread: cells for each point; more leaves more of the map's shape.

    Returns:
        (cells int [N, 2] as row and column, number of cells along each side).
    """
    side = grid_side(len(coordinates), spread)
    wanted = np.column_stack([1 - coordinates[:, 1], coordinates[:, 0]]) * (side - 1)
    free = np.ones((side, side), bool)
    cells = np.zeros((len(coordinates), 2), int)
    for point in np.argsort(((coordinates - 0.5) ** 2).sum(1), kind="stable"):
        cell = _nearest_free(free, *wanted[point])
        free[cell] = False
        cells[point] = cell
    return cells, side


def grid_side(count: int, spread: float = SPREAD) -> int:
    """The number of cells along each side of a grid for so many points."""
    return max(1, math.ceil(math.sqrt(count * spread)))


def _nearest_free(free: np.ndarray, row: float, column: float) -> tuple[int, int]:
    """The free cell nearest to a place, looked for in a window that grows around it."""
    reach, side = FIRST_REACH, len(free)
    while True:
        top, left = max(0, int(row) - reach), max(0, int(column) - reach)
        window = free[top : int(row) + reach + 2, left : int(column) + reach + 2]
        rows, columns = np.nonzero(window)
        if len(rows):
            distance = (rows + top - row) ** 2 + (columns + left - column) ** 2
            best = int(distance.argmin())
            # What lies outside of the window is at least `reach` away.
            if distance[best] <= reach**2 or reach >= side:
                return int(rows[best]) + top, int(columns[best]) + left
        reach *= 2


def spread_apart(places: np.ndarray, gap: float, rounds: int = 200) -> np.ndarray:
    """Push points apart until no two are nearer than a gap, or until rounds are over.

    Each round parts all pairs that are too near, each of the two by half of what lacks. Points in
    one place part in directions that depend on their numbers alone.

    Args:
        places: float [N, 2].
        gap: in the units of the places.

    Returns:
        float32 [N, 2].
    """
    apart = np.asarray(places, np.float64).copy()
    for _ in range(rounds):
        pairs = cKDTree(apart).query_pairs(gap, output_type="ndarray")
        if not len(pairs):
            break
        way = apart[pairs[:, 1]] - apart[pairs[:, 0]]
        length = np.linalg.norm(way, axis=1)
        equal = length < gap * 1e-6
        angle = GOLDEN_ANGLE * pairs[equal].sum(1)
        way[equal] = np.column_stack([np.cos(angle), np.sin(angle)])
        length[equal] = 1
        lacks = np.where(equal, gap, gap - length)
        push = way / length[:, None] * (lacks * PUSH_SHARE)[:, None]
        np.add.at(apart, pairs[:, 1], push)
        np.subtract.at(apart, pairs[:, 0], push)
    return np.asarray(apart, np.float32)
