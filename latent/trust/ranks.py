"""Compare who is near whom in two descriptions of the same points, at every scale at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MIN_POINTS = 4
MAX_ROWS = 10_000  # So many points are measured one by one; beyond, a sample of that size is.
BLOCK_VALUES = 1 << 21  # Distances that are held at a time.
NEIGHBOURS = 15  # Trustworthiness and continuity look at so many neighbours of each point.
FEW_DIMENSIONS = 3  # Up to so many, differences are cheaper and more exact than products.


@dataclass(frozen=True, eq=False)
class RankAgreement:
    """How far two descriptions of the same points agree about who is near whom.

    Args:
        area: mean of `area_each` over the points that were measured; 1 is perfect agreement, and
            0 is what chance gives.
        area_each: float32 [N], the area under R_NX of each point. Of a point that was not measured
            itself, that of the nearest point that was, in the second description.
        trustworthiness: 1 where no point is among the nearest of another in the second description
            without being near it in the first (Venna and Kaski 2001).
        continuity: 1 where no point has lost a neighbour on the way to the second description.
        measured: how many points were measured, each against all others.
    """

    area: float
    area_each: np.ndarray
    trustworthiness: float
    continuity: float
    measured: int


def compare_ranks(
    first: np.ndarray, second: np.ndarray, max_rows: int = MAX_ROWS, seed: int = 0
) -> RankAgreement:
    """Measure the area under R_NX (Lee and Verleysen 2009; Lee et al. 2015).

    Of each point, all others are ordered by their distance, once in each description. R_NX(K) is
    the share of the K nearest that both orders have in common, corrected so that 0 is what chance
    gives and 1 all of them. Its mean over all K, each weighted with 1 / K so that every scale
    counts alike, is free of a choice of K. As it is a sum over points, each has a value of its own.

    Memory does not grow with N^2: distances are computed in blocks of rows.

    Args:
        first: float [N, D1], what is true.
        second: float [N, D2], such as the places on a map.
        max_rows: the most points that are measured, each against all others; a sample beyond.
        seed: chooses the sample.

    Returns:
        The agreement. Fewer than MIN_POINTS points agree perfectly.
    """
    count = len(first)
    if count < MIN_POINTS:
        return RankAgreement(1.0, np.ones(count, np.float32), 1.0, 1.0, count)
    first, second = _centre(first), _centre(second)
    rows = _choose_rows(count, max_rows, seed)
    k = min(NEIGHBOURS, (count - 1) // 2)
    worth, chance = _worth_of_ranks(count)
    areas, intruders, missing = np.empty(len(rows), np.float32), 0.0, 0.0
    step = max(1, BLOCK_VALUES // count)
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        orders = [_order(points, block) for points in (first, second)]
        ranks = [_invert(order) for order in orders]
        latest = np.maximum(*ranks)
        areas[start : start + step] = worth[latest].sum(1) - chance
        intruders += _excess(ranks[0], orders[1], k)
        missing += _excess(ranks[1], orders[0], k)
    scale = 2 / (len(rows) * k * (2 * count - 3 * k - 1))
    return RankAgreement(
        float(areas.mean()),
        _spread(areas, rows, second),
        1 - scale * intruders,
        1 - scale * missing,
        len(rows),
    )


def _worth_of_ranks(count: int) -> tuple[np.ndarray, float]:
    """What a neighbour adds to the area by the later of its two ranks, and what chance adds.

    With c(K) the neighbours whose ranks are both at most K, R_NX(K) of one point is
    ((N - 1) c(K) / K - K) / (N - 1 - K). Summed over K with weights, each neighbour adds its part
    at every K from its later rank on.

    Returns:
        (float64 [N], by rank; rank 0 is the point itself and adds nothing, float).
    """
    sizes = np.arange(1, count - 1, dtype=np.float64)
    weights = 1 / sizes / (1 / sizes).sum()
    room = count - 1 - sizes
    each = weights * (count - 1) / (sizes * room)
    worth = np.zeros(count)
    worth[1:-1] = each[::-1].cumsum()[::-1]
    return worth, float((weights * sizes / room).sum())


def _order(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """All points by their distance from each of some, itself first: int [B, N]."""
    distances = squared_distances(points[rows], points)
    distances[np.arange(len(rows)), rows] = -1
    return np.argsort(distances, axis=1)


def _invert(order: np.ndarray) -> np.ndarray:
    """The rank of every point, from the points in the order of their ranks: int32 [B, N]."""
    ranks = np.empty(order.shape, np.int32)
    np.put_along_axis(ranks, order, np.arange(order.shape[1], dtype=np.int32)[None], axis=1)
    return ranks


def _excess(ranks: np.ndarray, order: np.ndarray, k: int) -> float:
    """By how many ranks the k nearest of one order lie behind the k nearest of the other."""
    far = np.take_along_axis(ranks, order[:, 1 : k + 1], axis=1) - k
    return float(np.maximum(far, 0).sum())


def squared_distances(some: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances float32 [B, N] of centred points, float32 [B, D] and [N, D]."""
    if points.shape[1] <= FEW_DIMENSIONS:
        total = np.zeros((len(some), len(points)), np.float32)
        for column in range(points.shape[1]):
            total += (some[:, column, None] - points[None, :, column]) ** 2
        return total
    norms = np.einsum("ij,ij->i", points, points)
    distances: np.ndarray = some @ points.T
    distances *= -2
    distances += np.einsum("ij,ij->i", some, some)[:, None]
    distances += norms
    np.maximum(distances, 0, out=distances)
    return distances


def _centre(points: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(points - points.mean(0, dtype=np.float64), np.float32)


def _choose_rows(count: int, max_rows: int, seed: int) -> np.ndarray:
    if count <= max_rows:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, max_rows, replace=False))


def _spread(areas: np.ndarray, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The value of each point: its own, or that of the nearest point that has one."""
    if len(rows) == len(places):
        return areas
    from scipy.spatial import cKDTree

    nearest = cKDTree(places[rows]).query(places)[1]
    return np.asarray(areas[nearest])
