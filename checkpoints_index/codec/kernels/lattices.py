"""Floats to integers and back: multiples of a step, and bits in the order of their numbers."""

from __future__ import annotations

import numpy as np
from numba import njit

_ROUND_F32 = np.float32(1.5 * 2**23)  # Adding it rounds a float32 below 2^22 to even.
# Integers of a lattice by their bytes: a difference of two must fit in the same integer, and an
# integer times its step in a float32.
LATTICE_LIMIT = {2: (1 << 14) - 1, 4: (1 << 20) - 1}


@njit(nogil=True, cache=True)
def quantise(weights, inverse_step, limit, integers):  # type: ignore[no-untyped-def]
    """integers = round(weights * inverse_step); False where a weight is not finite or too large.

    Args:
        weights: float32 [N].
        inverse_step: float32.
        limit: float32, the one of LATTICE_LIMIT.
        integers: int16 or int32 [N], written.
    """
    fits = True
    for i in range(integers.size):
        scaled = weights[i] * inverse_step
        fits &= abs(scaled) <= limit  # false for NaN as well
        integers[i] = (scaled + _ROUND_F32) - _ROUND_F32
    return fits


@njit(nogil=True, cache=True)
def scale(integers, step, weights):  # type: ignore[no-untyped-def]
    """weights = integers * step, exactly, as `LATTICE_LIMIT` and steps are chosen.

    Args:
        integers: int16 or int32 [N].
        step: float32.
        weights: float32 [N], written.
    """
    for i in range(integers.size):
        weights[i] = np.float32(integers[i]) * step


@njit(nogil=True, cache=True)
def scale_channels_last(integers, step, weights):  # type: ignore[no-untyped-def]
    """weights[i, k, c] = integers[i, c, k] * step: `scale` for channels that come last.

    Args:
        integers: int16 or int32 [I, C, K].
        step: float32.
        weights: float32 [I, K, C], written.
    """
    for i in range(integers.shape[0]):
        for k in range(integers.shape[2]):
            for c in range(integers.shape[1]):
                weights[i, k, c] = np.float32(integers[i, c, k]) * step


@njit(nogil=True, cache=True)
def order(items, largest):  # type: ignore[no-untyped-def]
    """Map the bits of floats [N] to integers in the same order, in place; its own inverse.

    Args:
        items: integers [N] of the size of the floats, changed.
        largest: the largest integer of their type.
    """
    for i in range(items.size):
        if items[i] < 0:
            items[i] ^= largest
