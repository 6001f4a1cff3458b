"""Where the parts of packed blocks lie, and whether what they hold leads to integers of the block.

A device that unpacks parts cannot say in time that they lead outside of its memory; hence these
loops look first, which takes a small part of the time that unpacking takes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from checkpoints_index.codec.kernels.gaps import LONG_GAP

LOW_PLANES, GAP_PARTS = 3, 5  # the most that a block has of each
SLOTS = 1 + LOW_PLANES + GAP_PARTS  # a place for each part that a block may have
_HEAD_BYTES = 8  # the length of a part, and that of what it was compressed to: two uint32
_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)  # bits set in a byte


@njit(nogil=True, cache=True)
def _read_uint32(payload, at):  # type: ignore[no-untyped-def]
    value = np.int64(0)
    for p in range(4):
        value |= np.int64(payload[at + p]) << (8 * p)
    return value


@njit(nogil=True, cache=True)
def find_parts(payload, starts, ends, mains, lows, gaps, places, compressed, plain):  # type: ignore[no-untyped-def]
    """Find the parts of blocks by the two lengths that stand before each of them.

    Args:
        payload: uint8 [bytes].
        starts, ends: int64 [B], the bytes between which the parts of a block lie; starts become
            where the last part ends.
        mains, lows, gaps: int64 [B], how many parts of each sort a block has, 0 or 1, 0 to 3, and
            0 or 5; an empty first part of the gaps stands for all five.
        places, compressed, plain: int64 [B, SLOTS], zeros; written: where a part lies, and its
            length there and unpacked.

    Returns:
        Whether all parts lie within their blocks.
    """
    for b in range(starts.size):
        at = starts[b]
        for slot in range(SLOTS):
            if slot == 0:
                is_there = mains[b] > 0
            elif slot <= LOW_PLANES:
                is_there = slot <= lows[b]
            else:
                is_there = gaps[b] > 0
            if not is_there:
                continue
            if at + _HEAD_BYTES > ends[b]:
                return False
            whole, packed = _read_uint32(payload, at), _read_uint32(payload, at + 4)
            at += _HEAD_BYTES
            if whole > 0:
                places[b, slot], compressed[b, slot], plain[b, slot] = at, packed, whole
                at += packed
            if at > ends[b]:
                return False
            if slot == 1 + LOW_PLANES and whole == 0:
                break
        starts[b] = at
    return True


@njit(nogil=True, cache=True)
def lead_inside(buffer, places, lengths, fars, sizes):  # type: ignore[no-untyped-def]
    """Whether the gaps of blocks lead from item to item of each block, never twice to one.

    Args:
        buffer: uint8 [bytes].
        places, lengths: int64 [B, GAP_PARTS], bytes of the parts that `add_at_gaps` takes; of long
            gaps and magnitudes, planes of their bytes.
        fars: int64 [B], how many magnitudes a block has.
        sizes: int64 [B], how many items.
    """
    for b in range(sizes.size):
        gaps = buffer[places[b, 0] : places[b, 0] + lengths[b, 0]]
        long_gaps = buffer[places[b, 1] : places[b, 1] + lengths[b, 1]]
        further = buffer[places[b, 3] : places[b, 3] + lengths[b, 3]]
        if gaps.size and not _lead_inside(gaps, long_gaps, further, fars[b], sizes[b]):
            return False
    return True


@njit(nogil=True, cache=True)
def _lead_inside(gaps, long_gaps, further, fars, size):  # type: ignore[no-untyped-def]
    total, longs, zeros = np.uint32(0), np.uint32(0), np.uint32(0)
    for k in range(gaps.size):
        total += np.uint32(gaps[k])
        longs += np.uint32(gaps[k] == LONG_GAP)
        zeros += np.uint32(gaps[k] == 0)
    ones = 0
    for k in range(further.size):
        ones += _ONES[further[k]]
    count = long_gaps.size // 4
    position = np.int64(total)
    for i in range(count):
        length = np.int64(0)
        for p in range(4):
            length |= np.int64(long_gaps[p * count + i]) << (8 * p)
        if length < LONG_GAP:
            return False
        position += length - LONG_GAP
    again = np.int64(zeros) - np.int64(gaps[0] == 0)
    return again == 0 and np.int64(longs) == count and ones == fars and position < size


@njit(nogil=True, cache=True)
def fill_words(buffer, places, sizes, words, longest):  # type: ignore[no-untyped-def]
    """Whether lengths in bits are those of integers that fill so many words of 32.

    Args:
        buffer: uint8 [bytes].
        places, sizes: int64 [B], where the lengths of the items of a block lie, and how many.
        words: int64 [B].
        longest: int64 [B], bits of an item.
    """
    for b in range(sizes.size):
        lengths = buffer[places[b] : places[b] + sizes[b]]
        total, beyond = np.uint32(0), np.uint32(0)
        for i in range(lengths.size):
            total += np.uint32(lengths[i])
            beyond += np.uint32(lengths[i] > longest[b])
        if beyond or (np.int64(total) + 31) // 32 != words[b]:
            return False
    return True
