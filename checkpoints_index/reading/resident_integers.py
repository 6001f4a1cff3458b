"""The device's part of streaming: integers that stay there, and become those of the next one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from checkpoints_index.codec import integers
from checkpoints_index.codec.integers import IntegerArrays, TensorLayout
from checkpoints_index.codec.leading import lead_on
from checkpoints_index.codec.payloads import TrackerStates
from checkpoints_index.codec.staging import StagedKind
from checkpoints_index.codec.tensor_entry import IntegerKind
from checkpoints_index.codec.unpacking import predict, unpack_moves
from checkpoints_index.errors import DamagedCheckpointError
from checkpoints_index.reading.device_feed import StagedCheckpoint, StagedStep
from checkpoints_index.reading.transfers import DeviceStreams
from checkpoints_index.storage.segments import Record

CHECK_INTERVAL = 64  # Integers are held against their checksum after so many steps on the device.

Integers = dict[IntegerKind, Tensor]


class ResidentIntegers:
    """The integers of one checkpoint on a device, which become those of the next in place.

    Args:
        run: the run's name, for errors.
        streams: those of the device where they are.
    """

    def __init__(self, run: str, streams: DeviceStreams) -> None:
        self._run, self._streams = run, streams
        self._arrays: Integers = {}
        self._before: Integers | None = None  # where the layout predicts
        self._trackers: Integers = {}  # int16 [2, N] of each lattice, where the layout tracks
        self._spare: Integers = {}  # Moves are written there; between checkpoints it is free.
        self._record: Record | None = None  # that of the checkpoint whose integers they are
        self._unchecked = 0  # steps since integers were last held against their checksum

    def swap(
        self, staged: StagedCheckpoint, weights: dict[str, Tensor], is_last: bool = False
    ) -> None:
        """Go on to a checkpoint, and write it over a state dict.

        A wrong difference makes all later integers wrong, until others take their place. Hence the
        checks every so many steps, before that place is taken, and at the end are checks of all
        steps before.

        Args:
            staged: the checkpoint, from the one that was staged before.
            weights: a module's state dict on the device; written, its tensors stay where they are.
            is_last: whether no other follows.

        Raises:
            DamagedCheckpointError: integers are not what was stored.
        """
        with self._streams.writing_weights():
            self._go_on(staged, is_last)
            staged.layout.write_weights(self._restore_bits(), weights)

    def _go_on(self, staged: StagedCheckpoint, is_last: bool) -> None:
        if staged.whole is not None or any(step.from_nothing for step in staged.steps):
            self._check()
        if staged.whole is not None:
            self._begin(staged.whole.arrays, staged.whole.before)
            self._begin_trackers(staged.layout, staged.whole.states)
        for step in staged.steps:
            self._go(step, staged)
        self._record, self._unchecked = staged.record, self._unchecked + len(staged.steps)
        if is_last or self._unchecked >= CHECK_INTERVAL:
            self._check()

    def _begin(self, arrays: IntegerArrays, before: IntegerArrays | None) -> None:
        self._arrays, self._before, self._spare = {}, None, {}  # Give back memory first.
        self._arrays = self._send(arrays)
        self._before = self._send(before) if before is not None else None
        self._spare = {kind: torch.empty_like(items) for kind, items in self._arrays.items()}

    def _begin_trackers(self, layout: TensorLayout, states: TrackerStates | None) -> None:
        """Send the state of trackers, zeros where there is none."""
        self._trackers = {}
        sizes = {} if states is None else layout.array_sizes
        for kind in (kind for kind in sizes if kind.origin == "lattice"):
            sent = np.zeros((2, sizes[kind]), np.int16)
            for (own, part), state in zip(layout.blocks, states or (), strict=True):
                if own == kind and state is not None:
                    sent[0, part], sent[1, part] = state
            self._trackers[kind] = torch.from_numpy(sent).to(self._streams.device)

    def _send(self, arrays: IntegerArrays) -> Integers:
        return {k: torch.from_numpy(items).to(self._streams.device) for k, items in arrays.items()}

    def _go(self, step: StagedStep, staged: StagedCheckpoint) -> None:
        """Add what a record holds to the integers of its base, or subtract it."""
        buffer = step.host.receive()
        if step.from_nothing:
            for items in self._arrays.values():
                items.zero_()
        sounds = [
            sound
            for kind, own in step.staged.kinds.items()
            if (sound := self._add(kind, own, buffer, step.sign, staged.layout)) is not None
        ]
        # Only lengths that depend on the integers of exact storage make the CPU wait here.
        if sounds and not bool(torch.stack(sounds).all()):
            raise self._damage(staged.record)

    def _add(
        self, kind: IntegerKind, own: StagedKind, buffer: Tensor, sign: int, layout: TensorLayout
    ) -> Tensor | None:
        """One kind of integers: where they are expected, plus how far from there they went."""
        exponent = kind.exponent_field(layout.reversible)
        base, spare = self._arrays[kind], self._spare[kind]
        if self._before is None:
            sound = unpack_moves(own, buffer, base, exponent, spare)
            if own.tracked and sign > 0:
                lead_on(own.tracked, buffer, base, spare, *self._trackers[kind])
            else:
                base.add_(spare, alpha=sign)
            return sound
        before = self._before[kind]
        predict(own, buffer, base, before, spare)
        sound = unpack_moves(own, buffer, spare, exponent, before)
        self._arrays[kind], self._before[kind], self._spare[kind] = spare.add_(before), base, before
        return sound

    def _restore_bits(self) -> Integers:
        """The integers as `write_weights` takes them; those of floats in memory that is free."""
        bits = {}
        for kind, items in self._arrays.items():
            bits[kind] = items
            if kind.is_float:
                sign = torch.bitwise_right_shift(
                    items, 8 * kind.itemsize - 1, out=self._spare[kind]
                )
                bits[kind] = sign.bitwise_and_(torch.iinfo(items.dtype).max).bitwise_xor_(items)
        return bits

    def _check(self) -> None:
        """Hold the integers against their checksum, if steps were made since the last time."""
        if self._record is None or not self._unchecked:
            return
        self._unchecked = 0
        arrays = {kind: items.cpu().numpy() for kind, items in self._arrays.items()}
        if integers.checksum(arrays) != self._record.integers_xxh3:
            raise self._damage(self._record)

    def _damage(self, record: Record) -> DamagedCheckpointError:
        reason = "what was decoded is not what was stored"
        return DamagedCheckpointError(self._run, record.batch, record.path, reason)
