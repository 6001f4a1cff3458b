"""Decoded checkpoints that somebody holds, and the steps from one to another."""

from __future__ import annotations

from typing import NamedTuple

from checkpoints_index.codec import integers, payloads
from checkpoints_index.codec.integers import IntegerArrays, TensorLayout
from checkpoints_index.codec.payloads import TrackerStates
from checkpoints_index.storage.segments import Record


class ReadStep(NamedTuple):
    """A payload that leads from one checkpoint to another.

    Attributes:
        record: its record.
        payload: what lies in the record, held against its checksum; good until more is read.
        sign: 1 where it leads from its base to its batch, -1 where it is undone.
        from_nothing: whether its base are zeros.
        leads_trackers: whether trackers are known behind it.
    """

    record: Record
    payload: bytes | memoryview
    sign: int
    from_nothing: bool
    leads_trackers: bool


class HeldCheckpoint(NamedTuple):
    """A checkpoint whose integers somebody holds.

    Attributes:
        record: its record.
        is_tracked: whether trackers were led there, and are held as well.
    """

    record: Record
    is_tracked: bool


class DecodedIntegers(NamedTuple):
    """The integers of a checkpoint, and what the next difference may be predicted from.

    Attributes:
        arrays: its integers.
        before: those of the checkpoint before it on the way there; None where none is predicted.
        states: those of the trackers that were led there; None where none are.
    """

    arrays: IntegerArrays
    before: IntegerArrays | None
    states: TrackerStates | None

    @classmethod
    def before_key(cls, layout: TensorLayout) -> DecodedIntegers:
        """What a key leads on from: zeros, of which nothing is known."""
        before, states = layout.new_arrays_before(), payloads.new_states(layout)
        return cls(layout.new_arrays(), before, states)

    def copy(self) -> DecodedIntegers:
        """The same in memory of its own, but for the trackers, which are not led on from there."""
        before = integers.copy_arrays(self.before) if self.before else None
        states = self.states and [None] * len(self.states)
        return DecodedIntegers(integers.copy_arrays(self.arrays), before, states)
