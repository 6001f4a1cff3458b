"""Small integers in fewer bits: five signs or two digits in a byte, a high byte and low bits."""

from __future__ import annotations

import numpy as np
from numba import njit

TRITS = 5  # A byte holds so many three-valued digits, since 3^5 = 243.
# For bytes below 3^5, byte // 3^k is (byte * _RECIPROCALS[k]) >> _SHIFTS[k].
_RECIPROCALS = np.array([1, 171, 57, 19, 203, 0], np.uint16)
_SHIFTS = np.array([0, 9, 9, 9, 14, 0], np.uint16)


@njit(nogil=True, cache=True)
def pack_trits(difference, packed):  # type: ignore[no-untyped-def]
    """The signs of integers [N], five in a byte: byte j holds those of j, j + M, j + 2M ...

    Args:
        difference: integers [N].
        packed: uint8 [M], zeros, M = ceil(N / 5).
    """
    count = packed.size
    power = np.uint8(1)
    for k in range(TRITS):
        plane = difference[k * count : (k + 1) * count]
        for j in range(plane.size):
            trit = np.uint8(plane[j] > 0) - np.uint8(plane[j] < 0) + np.uint8(1)
            packed[j] += np.uint8(trit * power)
        power *= np.uint8(3)


@njit(nogil=True, cache=True)
def add_trits(packed, sign, items):  # type: ignore[no-untyped-def]
    """items += sign * what `pack_trits` packed.

    Args:
        packed: uint8 [ceil(N / 5)].
        sign: 1 or -1, of the items' type.
        items: integers [N], changed.
    """
    count = packed.size
    for k in range(TRITS):
        plane = items[k * count : (k + 1) * count]
        times, shift = _RECIPROCALS[k], _SHIFTS[k]
        times_next, shift_next = _RECIPROCALS[k + 1], _SHIFTS[k + 1]
        for j in range(plane.size):
            byte = np.uint16(packed[j])
            here = np.uint16(np.uint16(byte * times) >> shift)  # byte // 3^k
            beyond = np.uint16(np.uint16(byte * times_next) >> shift_next)  # byte // 3^(k + 1)
            plane[j] += np.int16(np.int16(here - beyond * np.uint16(3)) - np.int16(1)) * sign


@njit(nogil=True, cache=True)
def pack_nibbles(difference, packed):  # type: ignore[no-untyped-def]
    """Integers [N], cut to -7..7, two in a byte: byte j holds those of j and j + M.

    Args:
        difference: integers [N].
        packed: uint8 [M], written, M = ceil(N / 2).
    """
    count = packed.size
    for k in range(2):
        plane = difference[k * count : (k + 1) * count]
        for j in range(plane.size):
            digit = np.uint8(min(max(plane[j], -7), 7) + 8)
            packed[j] = digit if k == 0 else packed[j] | np.uint8(digit << np.uint8(4))


@njit(nogil=True, cache=True)
def add_nibbles(packed, sign, items):  # type: ignore[no-untyped-def]
    """items += sign * what `pack_nibbles` packed.

    Args:
        packed: uint8 [ceil(N / 2)].
        sign: 1 or -1, of the items' type.
        items: integers [N], changed.
    """
    count = packed.size
    for k in range(2):
        plane = items[k * count : (k + 1) * count]
        for j in range(plane.size):
            digit = (packed[j] >> np.uint8(4 * k)) & np.uint8(15)
            plane[j] += np.int16(np.int16(digit) - np.int16(8)) * sign


@njit(nogil=True, cache=True)
def pack_split(items, low_bits, high, low):  # type: ignore[no-untyped-def]
    """Integers [N] as a high byte, which can be compressed, and low bits, which are noise.

    Args:
        items: int16 or int32 [N].
        low_bits: 4, or a multiple of 8; what is above them fits in an int8.
        high: uint8 [N], written.
        low: uint8 [P, M], written: for 4 bits [1, ceil(N / 2)], item j with item j + M; else a
            plane for each byte, [low_bits / 8, N].
    """
    for i in range(items.size):
        high[i] = np.uint8((items[i] >> low_bits) & 255)
    if low_bits == 4:
        count = low.shape[1]
        first, second, packed = items[:count], items[count:], low[0]
        for j in range(first.size):
            packed[j] = np.uint8(first[j] & 15)
        for j in range(second.size):
            packed[j] |= np.uint8((second[j] & 15) << 4)
        return
    for p in range(low.shape[0]):
        plane = low[p]
        for i in range(items.size):
            plane[i] = np.uint8((items[i] >> (8 * p)) & 255)


@njit(nogil=True, cache=True)
def add_split(high, low, low_bits, sign, items):  # type: ignore[no-untyped-def]
    """items += sign * what `pack_split` packed; arguments as there."""
    for i in range(items.size):
        items[i] += (np.int64(np.int8(high[i])) << low_bits) * sign
    if low_bits == 4:
        count = low.shape[1]
        first, second, packed = items[:count], items[count:], low[0]
        for j in range(first.size):
            first[j] += (packed[j] & 15) * sign
        for j in range(second.size):
            second[j] += (packed[j] >> 4) * sign
        return
    for p in range(low.shape[0]):
        plane = low[p]
        for i in range(items.size):
            items[i] += (np.int64(plane[i]) << (8 * p)) * sign
