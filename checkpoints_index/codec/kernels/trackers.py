"""Following integers of a lattice that move smoothly, as those of a moving average do.

An alpha-beta tracker (Benedict and Bordner 1962) expects each integer one velocity further on, and
corrects place and velocity by what it missed. Its state is two numbers an item, in fixed point of
FRACTION_BITS: `expected`, where the next integer lies, seen from this one; and its `velocity`, by
which that moves. Everything is integer arithmetic of one item alone, additions, products, shifts
that keep the sign and limits, so that every device has the same state.

`_foresee` and `_settle` are the whole rule; all else is loops.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FRACTION_BITS = 8
MISSES, MOVES = 1, 2  # What a rest is: the miss of the prediction, or the move of the integer.
_HALF = np.int32(1 << (FRACTION_BITS - 1))
_BITS = np.int32(FRACTION_BITS)
MAX_REST = 127  # What was missed by more corrects as much as this.
_MAX_REST = np.int32(MAX_REST)


@njit(nogil=True, cache=True)
def _foresee(expected):  # type: ignore[no-untyped-def]
    """The predicted move of an integer, and what rounding left of it, -HALF to HALF - 1."""
    move = np.int32(np.int32(np.int32(expected) + _HALF) >> _BITS)
    return move, np.int32(np.int32(expected) - np.int32(move << _BITS))


@njit(nogil=True, cache=True)
def _settle(rest, left, velocity, keep, gain):  # type: ignore[no-untyped-def]
    """The state of an integer after it was missed by `rest`; each cut to 16 bits where it is kept.

    Args:
        rest: the integer less the predicted one.
        left: as `_foresee` gave it.
        velocity: before.
        keep, gain: int32, 1 - alpha and beta of the tracker, in 256ths.
    """
    limited = np.int32(min(max(np.int32(rest), -_MAX_REST), _MAX_REST))
    missed = np.int32(np.int32(limited << _BITS) - left)
    faster = np.int32(np.int32(velocity) + np.int32(np.int32(gain * missed + _HALF) >> _BITS))
    return np.int32(faster - np.int32(np.int32(keep * missed + _HALF) >> _BITS)), faster


@njit(nogil=True, cache=True)
def find_rests(new, base, expected, rests):  # type: ignore[no-untyped-def]
    """What a tracker misses, its sign turned where the prediction was rounded up.

    An integer is more likely to lie on the side that rounding left, so that turned rests are less
    even and take fewer bytes.

    Args:
        new, base: integers [N] of one type.
        expected: int16 [N].
        rests: integers [N] of the type of `new`, written; they wrap around.
    """
    for i in range(rests.size):
        move, left = _foresee(expected[i])
        rest = new.dtype.type(new[i] - base[i] - move)
        rests[i] = -rest if left < 0 else rest


@njit(nogil=True, cache=True)
def follow(rests, way, keep, gain, items, expected, velocity):  # type: ignore[no-untyped-def]
    """Turn the base into what its rests lead to, and its tracker's state into the next, in place.

    Args:
        rests: integers [N] of the type of the items: MISSES as `find_rests` gives them, MOVES
            the difference to the base.
        way: MISSES or MOVES.
        keep, gain: int32, as in `_settle`.
        items: integers [N], the base; changed.
        expected, velocity: int16 [N], changed.
    """
    for i in range(items.size):
        move, left = _foresee(expected[i])
        if way == MOVES:
            moved = items.dtype.type(rests[i])
        elif left < 0:
            moved = items.dtype.type(move - rests[i])
        else:
            moved = items.dtype.type(move + rests[i])
        items[i] += moved
        rest = items.dtype.type(moved - move)
        expected[i], velocity[i] = _settle(rest, left, velocity[i], keep, gain)


@njit(nogil=True, cache=True)
def try_gains(new, base, keeps, gains, expected, velocity, counts):  # type: ignore[no-untyped-def]
    """Run several trackers over a sample, and count what each of them misses.

    Args:
        new, base: integers [N] of one type.
        keeps, gains: int32 [T], those of each tracker.
        expected, velocity: int16 [T, N], changed.
        counts: int64 [T + 1, 2 * R + 1], zeros, written: how often each missed by -R to R, what is
            further as the ends; and last, of the moves themselves.
    """
    reach = counts.shape[1] // 2
    for i in range(new.size):
        moved = new.dtype.type(new[i] - base[i])
        counts[keeps.size, reach + min(max(moved, -reach), reach)] += 1
    for t in range(keeps.size):
        for i in range(new.size):
            move, left = _foresee(expected[t, i])
            rest = new.dtype.type(new[i] - base[i] - move)
            turned = -rest if left < 0 else rest
            counts[t, reach + min(max(turned, -reach), reach)] += 1
            expected[t, i], velocity[t, i] = _settle(rest, left, velocity[t, i], keeps[t], gains[t])
