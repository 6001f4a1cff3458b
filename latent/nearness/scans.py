"""One pass over many rows that gives the distance of each to a query, in their own precision.

The rows are read once, by all threads, at the speed of the memory. Arguments of the loops have no
annotations, since numba compiles each function anew for the types that it is called with; mypy is
therefore told to ignore that. Docstrings name types and shapes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit

# Sums may be taken in any order, which lets the compiler use vector instructions. Numbers that are
# not finite stay what they are.
FAST = {"reassoc", "contract", "nsz"}
CHUNK_NUMBERS = 1 << 20  # A thread takes so many numbers at a time, and then the next.
TINY = 1e-18  # Squares of lengths below this may have lost digits.


def scan_squares(rows: np.ndarray, query: np.ndarray, *, cosine: bool = False) -> np.ndarray:
    """Squared distance of every row to a query, or of its direction to the query's.

    Args:
        rows: float32 or float64 [N, num_features], row by row in memory.
        query: [num_features] of the same type; of length one where cosine.
        cosine: compare directions: the result is twice the cosine distance. Rows of zeros have 2,
            and other rows that are too short to tell NaN.

    Returns:
        [N] of the same type. What overflows is infinite or NaN.
    """
    found = np.empty(len(rows), rows.dtype)
    scan = _scan_directions if cosine else _scan_places
    step = max(1, CHUNK_NUMBERS // rows.shape[1])
    starts = range(0, len(rows), step)
    waiting = iter(starts)  # Each start is taken by one thread, since a step of it is atomic.

    def work() -> None:
        for start in waiting:
            scan(rows[start : start + step], query, found[start : start + step])

    # This thread works too, and begins at once, however late the others come.
    others = min(len(starts), torch.get_num_threads()) - 1
    with ThreadPoolExecutor(max(1, others), "scan") as threads:
        helping = [threads.submit(work) for _ in range(others)]
        work()
        for helper in helping:
            helper.result()
    return found


@njit(nogil=True, cache=True, fastmath=FAST)
def _scan_places(rows, query, found):  # type: ignore[no-untyped-def]
    """found[i] = |rows[i] - query|^2; see `scan_squares`."""
    for i in range(rows.shape[0]):
        total = rows.dtype.type(0)
        for j in range(rows.shape[1]):
            difference = rows[i, j] - query[j]
            total += difference * difference
        found[i] = total


@njit(nogil=True, cache=True, fastmath=FAST)
def _scan_directions(rows, query, found):  # type: ignore[no-untyped-def]
    """found[i] = 2 - 2 cos(rows[i], query), for a query of length one; see `scan_squares`."""
    for i in range(rows.shape[0]):
        product, square = rows.dtype.type(0), rows.dtype.type(0)
        for j in range(rows.shape[1]):
            product += rows[i, j] * query[j]
            square += rows[i, j] * rows[i, j]
        if square >= TINY:
            found[i] = 2 - 2 * product / np.sqrt(square)
        else:
            found[i] = np.nan if np.any(rows[i] != 0) else 2
