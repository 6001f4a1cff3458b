"""How integers of two checkpoints differ."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def subtract(new, base, difference):  # type: ignore[no-untyped-def]
    """difference = new - base, wrapping around; returns how many are not 0.

    Args:
        new, base: integers [N] of one type.
        difference: integers [N] of that type, written.
    """
    count = np.int32(0)
    for i in range(difference.size):
        difference[i] = new[i] - base[i]
        count += np.int32(new[i] != base[i])
    return count


@njit(nogil=True, cache=True)
def differ(new, base):  # type: ignore[no-untyped-def]
    """Whether any of the integers [N] differ; mostly the first one tells."""
    for i in range(new.size):  # noqa: SIM110  (numba compiles no generators)
        if new[i] != base[i]:
            return True
    return False


@njit(nogil=True, cache=True)
def count_beyond(items, limit):  # type: ignore[no-untyped-def]
    """How many of the integers [N] have a magnitude above the limit, of their own type."""
    count = np.int32(0)
    for i in range(items.size):
        count += np.int32((items[i] > limit) | (items[i] < -limit))
    return count
