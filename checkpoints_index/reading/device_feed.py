"""The CPU's part of streaming to a device that unpacks: read, check, decompress, lay out.

Where a few records lead from the checkpoint before to the next, in either direction, or a key
begins anew, the device gets what zstandard gave back, and unpacks it where its integers lie
(`resident_integers.py`). Any other checkpoint, and the first one of a segment, is decoded by the
reader, held against the checksum of its integers, and sent as a whole.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.packing import Integers
from checkpoints_index.codec.staging import PayloadStager, StagedPayload
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.errors import DamagedCheckpointError
from checkpoints_index.reading.held import DecodedIntegers, HeldCheckpoint, ReadStep
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.reading.transfers import DeviceStreams, HostBuffer
from checkpoints_index.storage.segments import Record

MAX_STEPS = 8  # Checkpoints further away than so many records are decoded on the CPU.


class StagedStep(NamedTuple):
    """One record on its way to the device.

    Attributes:
        staged: its parts, in the memory of `host`.
        host: has begun to send them.
        sign, from_nothing: as in `ReadStep`.
    """

    staged: StagedPayload
    host: HostBuffer
    sign: int
    from_nothing: bool


class StagedCheckpoint(NamedTuple):
    """A checkpoint on its way to a device that unpacks.

    Attributes:
        record: its record.
        layout: how its tensors lie in the integers.
        whole: its integers; None where steps lead to them from the checkpoint staged before.
        steps: these steps.
    """

    record: Record
    layout: TensorLayout
    whole: DecodedIntegers | None
    steps: list[StagedStep]


class DeviceFeed:
    """Stages one checkpoint after another in memory that is used again.

    Args:
        reader: finds and reads the records.
        streams: those of the device to which they go.
        depth: so many checkpoints may be staged before the first of them is sent.
        pool: threads that share the decompression.
    """

    def __init__(
        self,
        reader: CheckpointReader,
        streams: DeviceStreams,
        depth: int,
        pool: ThreadPool = SERIAL,
    ) -> None:
        self._reader, self._streams, self._pool = reader, streams, pool
        # What the device has once it has all that was staged, and of which blocks the trackers.
        self._held: HeldCheckpoint | None = None
        self._tracked: Integers | None = None
        self._stager: tuple[TensorLayout, PayloadStager] | None = None
        self._hosts: deque[list[HostBuffer]] = deque([] for _ in range(depth))

    def decode(self, batch: int) -> StagedCheckpoint:
        """The checkpoint of a batch; good until `depth` more were staged.

        Raises:
            UnknownBatchError: it is not there.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        record = self._reader.find(batch)
        steps = self._stage_steps(record)
        if steps is not None:
            return StagedCheckpoint(record, self._reader.layout(record), None, steps)
        layout, self._held, whole = self._reader.hand_over(batch)
        states = whole.states
        self._tracked = None if states is None else np.array([s is not None for s in states])
        return StagedCheckpoint(self._held.record, layout, whole, [])

    def _stage_steps(self, record: Record) -> list[StagedStep] | None:
        """The steps to a record from the one staged before; None where the reader decodes it."""
        hosts = self._hosts[0]
        self._hosts.rotate(-1)
        while self._held is not None:
            try:
                steps = self._reader.read_steps(self._held, record, MAX_STEPS)
            except (DamagedCheckpointError, FileNotFoundError):
                return None  # The reader says what is wrong, or finds what has replaced it.
            if steps is None:
                return None
            stager = self._stager_of(self._reader.layout(record))
            hosts += [HostBuffer(self._streams) for _ in range(len(steps) - len(hosts))]
            found, known = [], self._tracked
            for step, host in zip(steps, hosts, strict=False):
                staged = self._stage(stager, step, host, known)
                if staged is None:
                    break
                found.append(staged)
                known = staged.staged.leads_trackers
            if len(found) == len(steps):
                for each in found:
                    each.host.send()
                is_tracked = steps[-1].leads_trackers if steps else self._held.is_tracked
                self._held, self._tracked = HeldCheckpoint(record, is_tracked), known
                return found
        return None

    def _stage(
        self,
        stager: PayloadStager,
        step: ReadStep,
        host: HostBuffer,
        known: Integers | None,
    ) -> StagedStep | None:
        """One step; None where it was not made by a packer, and another way must be found."""
        try:
            staged = stager.stage(step.payload, host.reserve, step.sign, known)
        except ValueError:
            self._reader.avoid(step.record)
            return None
        return StagedStep(staged, host, step.sign, step.from_nothing)

    def _stager_of(self, layout: TensorLayout) -> PayloadStager:
        if self._stager is None or self._stager[0] is not layout:
            self._stager = layout, PayloadStager(layout, self._pool)
        return self._stager[1]
