"""The inner loops of the store: integers to bytes and back, compiled by numba.

All of them work on one block of a checkpoint at a time, which stays in the processor's cache, and
let other Python threads run meanwhile. Loops over planes run over slices, so that the compiler
sees indices that cannot be negative and uses vector instructions.

Arguments have no annotations, since numba compiles each function anew for the types that it is
called with; mypy is therefore told to ignore that. Docstrings name types and shapes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

WORD = 8  # Flags of so many items are tested at a time.
LONG_GAP = 255  # Gaps of this length and more do not fit in their byte.
TRITS = 5  # A byte holds so many three-valued digits, since 3^5 = 243.
# For bytes below 3^5, byte // 3^k is (byte * _RECIPROCALS[k]) >> _SHIFTS[k].
_RECIPROCALS = np.array([1, 171, 57, 19, 203, 0], np.uint16)
_SHIFTS = np.array([0, 9, 9, 9, 14, 0], np.uint16)
_ROUND_F32 = np.float32(1.5 * 2**23)  # Adding it rounds a float32 below 2^22 to even.
# Integers of a lattice by their bytes: a difference of two must fit in the same integer, and an
# integer times its step in a float32.
LATTICE_LIMIT = {2: (1 << 14) - 1, 4: (1 << 20) - 1}


@intrinsic
def _bit_length(typing_context: Any, value: Any) -> Any:
    """Position of the highest bit set of a uint64, 1 to 64; 0 for zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(ir.IntType(64), 64), zeros)

    return types.int64(types.uint64), generate


@intrinsic
def _trailing_zeros(typing_context: Any, value: Any) -> Any:
    """Position of the lowest bit set of a uint64, which has one, 0 to 63."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


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


@njit(nogil=True, cache=True)
def pack_magnitudes(new, base, exponent_shift, exponent_mask, classes, words):  # type: ignore[no-untyped-def]
    """Differences of any size: the length of each in bits, and then its bits.

    The length is what can be compressed; the bits below the highest are noise, and are laid end to
    end as they are. An optimiser moves weights by about the same amount whatever their size, while
    the difference of their bits doubles with each exponent less: adding the exponent of the base
    to the length leaves one narrow distribution.

    Args:
        new, base: integers [N] of one type; `new - base` wraps around.
        exponent_shift, exponent_mask: where the exponent lies in the base; a mask of 0 for none.
        classes: uint8 [N], written: length + exponent, modulo 256.
        words: uint32 [at least N * itemsize / 4 + 1], written: sign and low bits, low first.

    Returns:
        The number of words written.
    """
    pending, filled, count = np.uint64(0), np.int64(0), 0
    for i in range(new.size):
        # Unsigned, as the compiler takes it for granted that signed 8-byte integers never wrap.
        wrapped = np.uint64(new[i]) - np.uint64(base[i])
        difference = np.int64(new.dtype.type(wrapped))
        magnitude = np.uint64(difference) if difference >= 0 else -np.uint64(difference)
        length = _bit_length(magnitude)  # type: ignore[call-arg,var-annotated]
        classes[i] = np.uint8(length + _exponent(base[i], exponent_shift, exponent_mask))
        if length == 0:
            continue
        top = np.uint64(1) << np.uint64(length - 1)
        bits = magnitude & (top - np.uint64(1))
        if difference < 0:
            bits |= top
        if length > 32:  # only 8-byte integers
            pending |= (bits & np.uint64(0xFFFFFFFF)) << np.uint64(filled)
            words[count] = np.uint32(pending & np.uint64(0xFFFFFFFF))
            pending >>= np.uint64(32)
            count += 1
            bits >>= np.uint64(32)
            length -= 32
        pending |= bits << np.uint64(filled)
        filled += length
        if filled >= 32:
            words[count] = np.uint32(pending & np.uint64(0xFFFFFFFF))
            pending >>= np.uint64(32)
            count += 1
            filled -= 32
    if filled > 0:
        words[count] = np.uint32(pending)
        count += 1
    return count


@njit(nogil=True, cache=True)
def add_magnitudes(classes, words, exponent_shift, exponent_mask, items):  # type: ignore[no-untyped-def]
    """items, the base, become what `pack_magnitudes` packed; False where the words run out.

    Args:
        classes: uint8 [N].
        words: uint32, as many as there are.
        exponent_shift, exponent_mask: those with which it was packed.
        items: integers [N], changed.
    """
    pending, filled, position = np.uint64(0), np.int64(0), 0
    for i in range(items.size):
        exponent = _exponent(items[i], exponent_shift, exponent_mask)
        length = np.int64(np.uint8(np.int64(classes[i]) - exponent))
        if length == 0:
            continue
        if length > 64:
            return False
        bits, have = np.uint64(0), 0
        if length > 32:
            if position >= words.size:
                return False
            pending |= np.uint64(words[position]) << np.uint64(filled)
            position += 1
            bits = pending & np.uint64(0xFFFFFFFF)
            pending >>= np.uint64(32)
            have = 32
        if filled < length - have:
            if position >= words.size:
                return False
            pending |= np.uint64(words[position]) << np.uint64(filled)
            position += 1
            filled += 32
        rest = pending & ((np.uint64(1) << np.uint64(length - have)) - np.uint64(1))
        pending >>= np.uint64(length - have)
        filled -= length - have
        bits |= rest << np.uint64(have)
        top = np.uint64(1) << np.uint64(length - 1)
        magnitude = np.int64((bits & (top - np.uint64(1))) | top)
        items[i] += -magnitude if bits & top else magnitude
    return True


@njit(nogil=True, cache=True)
def _exponent(item, shift, mask):  # type: ignore[no-untyped-def]
    """The exponent of the float whose bits, in order, are this integer."""
    item = np.int64(item)
    return ((item ^ (item >> 63)) >> shift) & mask
