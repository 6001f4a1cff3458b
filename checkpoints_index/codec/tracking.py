"""Blocks of a lattice by what a tracker of their integers misses, where that takes fewer bytes.

A moving average of weights goes on nearly as it went, and a tracker (`kernels.trackers`) expects
where. Packer and unpacker run the same trackers from the same start: nothing is expected at a
checkpoint that a reader may enter by, a key or one with a skip delta. The form of a block is

    TRACKED  way  keep  gain  a block of another form, which holds what `way` says

with the gains that lead to the state behind this block, so that a reader computes integers alone:

- `BEGUN`:     the differences to the base; the state before, if any, is forgotten;
- `MISSES`: the misses of the prediction (`kernels.find_rests`);
- `MOVES`:     the differences to the base, where these take less; the state goes on.

A block of any other form ends its tracker. The gains are those of a Kalman filter that knows the
place of an integer at first, to rounding, and nothing of its velocity: they begin high and settle.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from checkpoints_index.codec import kernels
from checkpoints_index.codec.packing import BLOCK_ITEMS, ZERO, BlockPacker, BlockUnpacker, Integers

TRACKED = 7  # a form of blocks, beside those of `packing`
BEGUN = 0  # ways of a tracked block; the others are those of the kernels
MISSES, MOVES = kernels.MISSES, kernels.MOVES
HEAD_BYTES = 4  # of a tracked block, before the block of another form
# By how much velocities change in a batch: variances, in squares of the lattice's step.
RESTLESSNESS = (4.0, 1.0, 0.25, 0.06, 0.015, 0.004, 0.001)
MAX_AGE = 64  # Gains have settled after so many integers.
SAMPLED = 1024  # So many items of a block are followed by a tracker of each restlessness.
REACH = 12  # Misses up to this are counted each by itself.
BITS_BEYOND = 8  # Bits that a further one takes above those.
FORGETTING = 0.85  # Bits are averaged over the last records, each of which counts so much less.
CLEAR = 0.1  # Where the sample differs by less than this part, both ways are packed.
DOUBTED_AGE = 24  # From here on a tracker that does not take fewer bits is given up ...
PAYS = 0.97  # ... which are those that it has to save, for the time that it takes.
WORTH_A_WAY = 0.9  # Checkpoints are tracked where that takes at most this part of their bits.

_HEAD = struct.Struct("<BBBB")


class TrackerState(NamedTuple):
    """The state of a block's trackers.

    Attributes:
        expected: int16 [N], where the next integer lies, seen from this one, in 256ths.
        velocity: int16 [N], by which that moves.
    """

    expected: Integers
    velocity: Integers

    @classmethod
    def at_rest(cls, size: int) -> TrackerState:
        """That of trackers which expect nothing to move."""
        return cls(np.zeros(size, np.int16), np.zeros(size, np.int16))

    def copy(self) -> TrackerState:
        """The same in memory of its own."""
        return TrackerState(self.expected.copy(), self.velocity.copy())


class TrackingUnpacker:
    """Undoes what `TrackingPacker` and `BlockPacker` did to blocks of a lattice, one at a time."""

    def __init__(self, unpacker: BlockUnpacker) -> None:
        self._unpacker = unpacker
        self._rests: Integers | None = None

    def unpack(
        self, block: memoryview, items: Integers, sign: int, state: TrackerState | None
    ) -> TrackerState | None:
        """Turn the items of the base into those that were packed, in place.

        Args:
            block: what one of the packers gave.
            items: int16 or int32 [N] of the base; changed.
            sign: 1; or -1 to go from what was packed to its base, which no tracker leads to.
            state: that behind the block before; changed. None where there is none.

        Returns:
            The state behind this block; None where it has none, and after a step back.

        Raises:
            ValueError: these bytes were not made by a packer, or not behind this state. The items
                and the state may have changed.
        """
        if not len(block) or block[0] != TRACKED:
            self._unpacker.unpack(block, items, None, sign)
            return None
        if len(block) < _HEAD.size:
            raise ValueError("a block that is damaged: it ends within its head")
        _, way, keep, gain = _HEAD.unpack_from(block)
        rest = block[_HEAD.size :]
        if way == BEGUN and sign < 0:
            self._unpacker.unpack(rest, items, None, sign)
            return None
        if way == BEGUN:
            way, state = MOVES, TrackerState.at_rest(items.size)
        if way not in (MISSES, MOVES) or state is None or sign < 0:
            raise ValueError("a block of trackers that do not lead here")
        rests = self._no_rests(items)
        self._unpacker.unpack(rest, rests, None)
        kernels.follow(rests, way, np.int32(keep), np.int32(gain), items, *state)
        return state

    def _no_rests(self, items: Integers) -> Integers:
        """Zeros of the type and number of the items, in memory that is used again."""
        if self._rests is None:
            self._rests = np.empty(BLOCK_ITEMS, np.int32)
        rests = self._rests.view(items.dtype)[: items.size]
        rests.fill(0)
        return rests


class TrackingPacker:
    """Packs one block of a lattice in checkpoint after checkpoint, and runs its trackers.

    Whether they are of use is told by a sample, on which trackers of all gains run at any time.

    Args:
        size: number of the block's items.

    Attributes:
        goes_on: whether what was packed last is known to nobody without the state before it.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._sample = slice(0, size, -(-size // SAMPLED))
        shape = (len(RESTLESSNESS), len(range(size)[self._sample]))
        self._trials = np.zeros((2, *shape), np.int16)
        self._mean_bits = np.zeros(len(RESTLESSNESS) + 1)  # by trial; last, of the moves
        self._state: TrackerState | None = None
        self._age = 0  # number of integers that the trackers were given
        self._is_given_up = False
        self.goes_on = False

    @property
    def expected_bits(self) -> tuple[float, float]:
        """About the bits that blocks took of late: their moves, and with the best trackers."""
        moves = float(self._mean_bits[-1])
        return self._size * moves, self._size * min(moves, float(self._mean_bits[:-1].min()))

    def begin_anew(self, pays: bool = True) -> None:
        """Expect nothing at the next block: its reader may have come from elsewhere.

        Args:
            pays: whether trackers are to run at all, if they are of use to this block.
        """
        self.give_up()
        self._is_given_up = not pays or self._is_idle()
        self._forget()

    def give_up(self) -> None:
        """Pack differences alone up to the next beginning; the sample goes on."""
        self._is_given_up, self._state = True, None

    def pack(self, packer: BlockPacker, new: Integers, base: Integers) -> bytes:
        """The bytes that lead from `base` to `new`.

        Args:
            packer: that of the thread.
            new, base: int16 or int32 [N]; the base is what was packed before.
        """
        bits = self._try_gains(new, base)
        if self._state is not None and self._age >= DOUBTED_AGE and self._is_idle():
            self.give_up()
        self.goes_on = not self._is_given_up and self._state is not None
        if self._state is None:
            block = packer.pack(new, base, None)
            if self._is_given_up:
                return block
            if block[0] == ZERO:
                self._forget()
                return block
            self._state = TrackerState.at_rest(new.size)
            return self._settle(BEGUN, new - base) + block
        saved = 1 - bits[self._best] / bits[-1] if bits[-1] else 0.0
        packed = []
        if saved > -CLEAR:
            misses = np.empty_like(new)
            kernels.find_rests(new, base, self._state.expected, misses)
            packed.append((packer.pack(misses, np.zeros_like(misses), None), MISSES, misses))
        if saved < CLEAR:
            packed.append((packer.pack(new, base, None), MOVES, new - base))
        block, way, rests = min(packed, key=lambda one: len(one[0]))
        return self._settle(way, rests) + block

    @property
    def _best(self) -> int:
        """Which of the trials took the fewest bits of late."""
        return int(self._mean_bits[:-1].argmin())

    def _forget(self) -> None:
        self._age = 0
        self._trials.fill(0)

    def _settle(self, way: int, rests: Integers) -> bytes:
        """Give the trackers what they missed; the head of the block that says it."""
        assert self._state is not None
        keep, gain = settling_gains(RESTLESSNESS[self._best])[min(self._age, MAX_AGE) - 1]
        told = MOVES if way == BEGUN else way
        kernels.follow(
            rests, told, np.int32(keep), np.int32(gain), np.zeros_like(rests), *self._state
        )
        return _HEAD.pack(TRACKED, way, keep, gain)

    def _try_gains(self, new: Integers, base: Integers) -> Integers:
        """Bits an item by each trial, and last by moves; adds them to the means."""
        self._age += 1
        ages = [settling_gains(r)[min(self._age, MAX_AGE) - 1] for r in RESTLESSNESS]
        keeps, gains = np.ascontiguousarray(np.array(ages, np.int32).T)
        counts = np.zeros((len(RESTLESSNESS) + 1, 2 * REACH + 1), np.int64)
        kernels.try_gains(
            np.ascontiguousarray(new[self._sample]),
            np.ascontiguousarray(base[self._sample]),
            keeps,
            gains,
            self._trials[0],
            self._trials[1],
            counts,
        )
        bits = _entropies(counts)
        weight = FORGETTING if self._mean_bits.any() else 0.0
        self._mean_bits = weight * self._mean_bits + (1 - weight) * bits
        return bits

    def _is_idle(self) -> bool:
        """Whether no tracker takes fewer bits than moves do."""
        moves = self._mean_bits[-1]
        return bool(moves) and bool(self._mean_bits[:-1].min() >= PAYS * moves)


def pays_off(trackers: Iterable[TrackingPacker | None]) -> bool:
    """Whether trackers save enough of a checkpoint, which then cannot be walked back from.

    Args:
        trackers: those of all blocks of a checkpoint.
    """
    moves, tracked = np.array([t.expected_bits for t in trackers if t] or [(0, 0)]).sum(0)
    return bool(tracked <= WORTH_A_WAY * moves)


def _entropies(counts: Integers) -> Integers:
    """Bits an item of each row of counts, those beyond at the ends by estimate."""
    shares = counts / counts[0].sum()
    logs = np.log2(np.where(counts > 0, shares, 1.0))
    bits: Integers = BITS_BEYOND * (shares[:, 0] + shares[:, -1]) - (shares * logs).sum(1)
    return bits


@lru_cache
def settling_gains(restlessness: float) -> tuple[tuple[int, int], ...]:
    """1 - alpha and beta, in 256ths, of an alpha-beta tracker after 1, 2, ... MAX_AGE integers.

    They are those of the Kalman filter (1960) of a place that is known to a rounded integer, and of
    a velocity that takes a random step each time.

    Args:
        restlessness: the variance of these steps.
    """
    rounding = 1 / 12  # The variance of what lies anywhere within one step of a lattice.
    onward = np.array([[1.0, 1.0], [0.0, 1.0]])
    disturbance = restlessness * np.array([[0.25, 0.5], [0.5, 1.0]])
    known = np.diag([rounding, 4.0])  # Any velocity is likely at first.
    gains = []
    for _ in range(MAX_AGE):
        known = onward @ known @ onward.T + disturbance
        alpha, beta = known[0] / (known[0, 0] + rounding)
        known = known - np.outer((alpha, beta), known[0])
        gains.append((round(256 * (1 - alpha)), min(255, round(256 * beta))))
    return tuple(gains)
