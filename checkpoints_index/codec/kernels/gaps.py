"""A few integers that moved, as gaps: how far it is from each to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

WORD = 8  # Flags of so many items are tested at a time.
LONG_GAP = 255  # Gaps of this length and more do not fit in their byte.


@intrinsic
def _trailing_zeros(typing_context: Any, value: Any) -> Any:
    """Position of the lowest bit set of a uint64, which has one, 0 to 63."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@njit(nogil=True, cache=True)
def find_gaps(items, reach, gaps, long_gaps, signs, further, magnitudes):  # type: ignore[no-untyped-def]
    """Where integers [N] go beyond a reach, and how far, as `add_at_gaps` reads it.

    Args:
        reach: of the integers' own type.
        gaps: uint8 [K], written, K as `count_beyond` found.
        long_gaps: uint32 [K], written up to the first number returned.
        signs, further: uint8 [ceil(K / 8)], zeros, written.
        magnitudes: integers of the items' type [K], written up to the second number returned.
    """
    flags = np.zeros(-(-items.size // WORD) * WORD, np.uint8)
    for i in range(items.size):
        flags[i] = (items[i] > reach) | (items[i] < -reach)
    words = flags.view(np.uint64)
    found, longs, fars, last = 0, 0, 0, 0
    for w in range(words.size):
        word = words[w]
        while word != 0:
            position = WORD * w + (_trailing_zeros(word) >> 3)  # type: ignore[call-arg]
            word &= word - np.uint64(1)
            item = np.int64(items[position])
            gap = position - last
            last = position
            shift = np.uint8(7 - (found & 7))
            gaps[found] = min(gap, LONG_GAP)
            if gap >= LONG_GAP:
                long_gaps[longs] = gap
                longs += 1
            signs[found >> 3] |= np.uint8(item < 0) << shift
            magnitude = abs(item) - np.int64(reach)
            if magnitude > 1:
                further[found >> 3] |= np.uint8(1) << shift
                magnitudes[fars] = magnitude
                fars += 1
            found += 1
    return longs, fars


@njit(nogil=True, cache=True)
def add_at_gaps(gaps, long_gaps, signs, further, magnitudes, sign, items):  # type: ignore[no-untyped-def]
    """Move the items that gaps lead to, by one or by more; False where they lead outside.

    Args:
        gaps: uint8 [K], how far it is to each from the one before; LONG_GAP for a longer one.
        long_gaps: uint32 [number of long gaps], the length of each.
        signs, further: uint8 [ceil(K / 8)], a bit for each of K, the highest first: whether it
            goes down, and whether it goes by more than one.
        magnitudes: integers [number of those that go further], by how much.
        sign: 1, or -1 to go the other way.
        items: integers [N], changed.
    """
    position, longs, fars = np.int64(0), 0, 0
    for k in range(gaps.size):
        if gaps[k] < LONG_GAP:
            position += np.int64(gaps[k])
        elif longs < long_gaps.size:
            position += np.int64(long_gaps[longs])
            longs += 1
        shift = 7 - (k & 7)
        move = np.int64(sign)
        if (further[k >> 3] >> shift) & 1:
            if fars >= magnitudes.size:
                return False
            move *= np.int64(magnitudes[fars])
            fars += 1
        if position >= items.size:
            return False
        items[position] += -move if (signs[k >> 3] >> shift) & 1 else move
    return True
