"""Integers of any size: the length of each in bits, and then its bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


@intrinsic
def _bit_length(typing_context: Any, value: Any) -> Any:
    """Position of the highest bit set of a uint64, 1 to 64; 0 for zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(ir.IntType(64), 64), zeros)

    return types.int64(types.uint64), generate


@njit(nogil=True, cache=True)
def _exponent(item, shift, mask):  # type: ignore[no-untyped-def]
    """The exponent of the float whose bits, in order, are this integer."""
    item = np.int64(item)
    return ((item ^ (item >> 63)) >> shift) & mask


@njit(nogil=True, cache=True)
def extrapolate(base, before, eighths, predicted):  # type: ignore[no-untyped-def]
    """predicted = base + eighths / 8 of the step from `before` to it, in integers that wrap around.

    Args:
        base, before: integers [N] of one type.
        eighths: how much of the step is expected once more, 0 to 255.
        predicted: integers [N] of that type in other memory, written.
    """
    part = np.uint64(eighths)
    for i in range(predicted.size):
        # Unsigned, as the compiler takes it for granted that signed 8-byte integers never wrap.
        step = np.uint64(base[i]) - np.uint64(before[i])
        move = np.int64(step * part) >> np.int64(3)
        predicted[i] = base.dtype.type(np.uint64(base[i]) + np.uint64(move))


@njit(nogil=True, cache=True)
def count_bits(new, base, before, eighths, stride):  # type: ignore[no-untyped-def]
    """Lengths in bits of the differences to what `extrapolate` predicts, of every so many items.

    Args:
        new, base, before: integers [N] of one type.
        eighths: as `extrapolate` takes them.
        stride: the distance between the items that are looked at.
    """
    part, total = np.uint64(eighths), np.int64(0)
    for i in range(0, new.size, stride):
        step = np.uint64(base[i]) - np.uint64(before[i])
        move = np.int64(step * part) >> np.int64(3)
        wrapped = np.uint64(new[i]) - np.uint64(base[i]) - np.uint64(move)
        rest = np.int64(new.dtype.type(wrapped))
        magnitude = np.uint64(rest) if rest >= 0 else -np.uint64(rest)
        total += _bit_length(magnitude)  # type: ignore[call-arg]
    return total


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
