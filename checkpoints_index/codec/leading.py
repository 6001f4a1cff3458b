"""Trackers of integers led on by plain tensor operations, on any device.

The rule is that of `kernels.trackers`, for all blocks that lie behind each other at a time.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from checkpoints_index.codec.kernels.trackers import FRACTION_BITS, MAX_REST
from checkpoints_index.codec.staging import TrackedRows
from checkpoints_index.codec.tracking import MISSES, MOVES

_HALF = 1 << (FRACTION_BITS - 1)


def lead_on(
    tracked: Iterable[TrackedRows],
    buffer: Tensor,
    items: Tensor,
    rests: Tensor,
    expected: Tensor,
    velocity: Tensor,
) -> None:
    """Turn the integers of a base into those of the next checkpoint, and their trackers' state.

    Args:
        tracked: all blocks of these integers.
        buffer: uint8 [bytes], the payload's.
        items: int16 or int32 [N], the base; changed.
        rests: [N] of the same type, what was unpacked.
        expected, velocity: int16 [N], the state; changed. Of blocks that are not tracked it means
            nothing.
    """
    for rows in tracked:
        own, missing, at, speed = (
            part[rows.stretch].view(rows.height, rows.size)
            for part in (items, rests, expected, velocity)
        )
        table = buffer[rows.table].view(torch.int64).view(3, rows.height, 1).int()
        _lead(table, own, missing, at, speed)


def _lead(table: Tensor, items: Tensor, rests: Tensor, expected: Tensor, velocity: Tensor) -> None:
    """Lead on the trackers of blocks of one size, all [height, size]."""
    way, keep, gain = table
    is_known = (way == MISSES) | (way == MOVES)  # Else nothing is expected to move.
    at, speed = (torch.where(is_known, state, 0).int() for state in (expected, velocity))
    move = (at + _HALF) >> FRACTION_BITS
    left = at - (move << FRACTION_BITS)
    predicted = move.to(items.dtype)
    missed_by = torch.where(left < 0, -rests, rests)
    moved = torch.where(way == MISSES, predicted + missed_by, rests)
    items.add_(moved)
    rest = (moved - predicted).int().clamp_(-MAX_REST, MAX_REST)
    missed = (rest << FRACTION_BITS) - left
    faster = speed + ((gain * missed + _HALF) >> FRACTION_BITS)
    expected.copy_(faster - ((keep * missed + _HALF) >> FRACTION_BITS))
    velocity.copy_(faster)
