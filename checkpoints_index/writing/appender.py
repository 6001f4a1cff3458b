"""Keeping checkpoints beside the training step, which copies them; a thread does the rest."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping

import torch
from torch import Tensor

from checkpoints_index.codec.steps.lean_calibration import is_large
from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.writing.encoder import CheckpointEncoder, EncodedCheckpoint
from checkpoints_index.writing.segment_writer import SegmentWriter
from checkpoints_index.writing.snapshots import Snapshot, WaitingCheckpoint

QUEUE_BYTES = 256 << 20  # Weights up to this size wait to be encoded, ...
MIN_SNAPSHOTS, MAX_SNAPSHOTS = 2, 8  # ... but no fewer and no more checkpoints than these.
NICENESS = 10  # The threads have a lower priority than the training step, as `nice` counts.
LONG_WAIT_SECONDS = 1.0  # A step that waits longer for the copy of its weights is told of.
LOOK_AHEAD_SECONDS = 0.8  # The first checkpoint waits so long for the next one.

log = logging.getLogger(__name__)

Signature = list[tuple[str, tuple[int, ...], torch.dtype]]  # the tensors of a state dict


class Appender:
    """A thread that encodes and writes checkpoints in order, with bounded memory.

    Whatever goes wrong there is raised at the next call here. A checkpoint that found no room
    stays in memory, with those behind it, and every later call tries to write it again.

    Args:
        run: the run's name.
        spec: what rebuilds its generator.
        encoder, writer: used by this object alone, and closed with it.
    """

    def __init__(
        self, run: str, spec: GeneratorSpec, encoder: CheckpointEncoder, writer: SegmentWriter
    ) -> None:
        self._run, self._spec, self._encoder, self._writer = run, spec, encoder, writer
        self.ledger = writer.ledger
        self._signature: Signature | None = None
        self._is_large = False
        self._working = threading.Lock()  # held while the encoder and the writer are in use
        self._changed = threading.Condition()  # guards all that follows
        self._waiting: deque[WaitingCheckpoint] = deque()
        self._free: list[Snapshot] = []
        self._snapshots = 0
        self._unwritten: EncodedCheckpoint | None = None
        self._error: Exception | None = None
        self._stuck = self._closing = False
        self._drainers = 0  # calls that wait for everything to be written
        torch.get_num_threads()  # It settles this thread's number before the other sets its own.
        self._copier: threading.Thread | None = None  # It copies what was lent.
        self._thread = threading.Thread(target=self._work, name=f"append {run}", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def append(self, batch: int, weights: Mapping[str, Tensor], lent: bool = False) -> None:
        """Copy the weights and return; wait first where too many are still to be written.

        Args:
            batch: above that of the checkpoint before.
            weights: a state dict on any device.
            lent: whether the weights stay as they are until `wait_until_copied` has returned.
                Large ones are then copied meanwhile, as soon as there is room.

        Raises:
            CheckpointError: the weights are not of this run's generator, or an earlier checkpoint
                could not be kept. This one was not taken.
        """
        self._check(weights)
        checkpoint = WaitingCheckpoint(batch, weights)
        lent = lent and self._is_large
        with self._changed:
            self._try_again()
            self._raise_error()
            self._changed.wait_for(lambda: self._error is not None or not self._is_lending)
            self._raise_error()
            self._make_room(weights, MIN_SNAPSHOTS - 1 if lent else None)
        if not lent:
            checkpoint.copy_to(self._take_snapshot())
        elif self._copier is None:
            self._copier = threading.Thread(target=self._copy, name="copy weights", daemon=True)
            self._copier.start()
        with self._changed:
            self._waiting.append(checkpoint)
            self._changed.notify_all()

    def wait_until_copied(self) -> None:
        """Return when weights that were lent may be changed; a long wait is logged.

        Where nothing can be written, and no memory is free, they are copied to more memory.
        """
        began = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._stuck or not self._is_lending)
            if self._is_lending and not self._free and self._snapshots < MIN_SNAPSHOTS:
                self._make_room(self._waiting[-1].lent or {}, MIN_SNAPSHOTS)
                self._changed.notify_all()
            self._changed.wait_for(lambda: not self._is_lending)
        waited_s = time.monotonic() - began
        if waited_s > LONG_WAIT_SECONDS:
            text = "%s: a step waited %.0f s, since the checkpoint before its own was not encoded"
            log.warning(text, self._run, waited_s)

    def settle(self) -> None:
        """Return when all that was appended is written, or cannot be for now."""
        with self._changed:
            self._drainers += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._stuck or self._is_idle())
            self._drainers -= 1

    def drain(self) -> None:
        """Return when all that was appended is written.

        Raises:
            CheckpointError: something of it could not be.
        """
        with self._changed:
            self._try_again()
            self._drainers += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._error is not None or self._is_idle())
            self._drainers -= 1
            self._raise_error()

    def flush(self) -> None:
        """Return when all that was appended is safely on disk.

        Raises:
            CheckpointError: something of it could not be written.
        """
        self.drain()
        with self._working:
            self._writer.sync()

    def begin_anew(self) -> None:
        """Let the next checkpoint begin a segment of its own.

        Raises:
            CheckpointError: something that was appended before could not be written.
        """
        self.drain()
        with self._working:
            self._writer.finish_segment()
            self._encoder.begin_anew()

    def close(self) -> None:
        """Write what is left, and end the thread. What cannot be written is lost.

        Raises:
            Exception: the first thing that went wrong since the last call.
        """
        atexit.unregister(self.close)
        error = self._drain_whatever_fails()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        if self._copier is not None:
            self._copier.join()
        self._encoder.close()
        self._writer.close()
        if error is not None:
            raise error

    def _drain_whatever_fails(self) -> Exception | None:
        """Write all that can be written; the first thing that went wrong."""
        first: Exception | None = None
        while True:
            try:
                self.drain()
                return first
            except Exception as error:
                first = first or error
                if self._stuck:
                    return first

    def _check(self, weights: Mapping[str, Tensor]) -> None:
        """Refuse weights that are not those of this run's generator."""
        given = read_signature(weights)
        if self._signature is None:
            expected = read_signature(self._spec.expected_weights())
            if _shapes(given) != _shapes(expected):
                raise CheckpointError(_describe_mismatch(self._run, expected, given))
            with self._changed:
                self._signature, self._is_large = given, is_large(weights)
                self._changed.notify_all()
        elif given != self._signature:
            raise CheckpointError(_describe_mismatch(self._run, self._signature, given))

    def _make_room(self, weights: Mapping[str, Tensor], count: int | None) -> None:
        """Have memory for so many checkpoints, all at once where they are large.

        Args:
            weights: those of one.
            count: how many; None for as many as may wait, of which small ones come one by one.
        """
        most = max_snapshots(weights) if count is None else count
        if not self._is_large:
            most = min(most, self._snapshots + 1) if not self._free else 0
        while self._snapshots < most:
            snapshot = Snapshot(weights)
            if self._is_large:
                snapshot.touch()
            self._snapshots += 1
            self._free.append(snapshot)

    def _take_snapshot(self) -> Snapshot:
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or bool(self._free))
            self._raise_error()
            return self._free.pop()

    @property
    def _is_lending(self) -> bool:
        return bool(self._waiting) and self._waiting[-1].lent is not None

    def _copy(self) -> None:
        """The life of the thread that copies what was lent as soon as there is room for it."""
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closing or (self._is_lending and bool(self._free))
                )
                if self._closing:
                    return
                checkpoint, snapshot = self._waiting[-1], self._free.pop()
            try:
                checkpoint.copy_to(snapshot)
            except Exception as error:  # A GPU may fail, and the caller must not wait for ever.
                checkpoint.drop()
                with self._changed:
                    self._waiting.remove(checkpoint)
                    self._free.append(snapshot)
                    self._error = error
            with self._changed:
                self._changed.notify_all()

    def _try_again(self) -> None:
        """Let a thread that found no room try once more, and see what became of it."""
        if self._stuck:
            self._stuck, self._error = False, None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._error is not None or self._unwritten is None)

    def _raise_error(self) -> None:
        if self._error is not None:
            error = self._error
            if not self._stuck:
                self._error = None
            raise error

    def _is_idle(self) -> bool:
        return not self._waiting and self._unwritten is None

    def _work(self) -> None:
        torch.set_num_threads(1)  # The number is that of this thread.
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._signature is not None)
        if not self._is_large:
            _lower_priority()
        while self._wait_for_work():
            with self._working:
                try:
                    self._advance()
                except Exception as error:
                    self._report(error)

    def _wait_for_work(self) -> bool:
        """Return when there is something to do, or to sync; false when the thread is to end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or not (self._stuck or self._is_idle()),
                self._writer.sync_due_s,
            )
            return not self._closing

    def _advance(self) -> None:
        """Encode the checkpoint that waits longest, write it, sync what has waited long enough."""
        if not self._stuck:
            if self._unwritten is None and self._waiting:
                self._encode(self._waiting[0])
            if self._unwritten is not None:
                self._write(self._unwritten)
        self._writer.sync_if_due()

    def _encode(self, checkpoint: WaitingCheckpoint) -> None:
        encoded, snapshot = None, self._wait_for_copy(checkpoint)
        if snapshot is None:
            return
        try:
            weights, device = snapshot.wait()
            following = self._look_ahead() if self._encoder.wants_to_see_next else None
            encoded = self._encoder.encode(checkpoint.batch, weights, device, following)
        finally:
            with self._changed:
                self._waiting.popleft()
                self._free.append(snapshot)
                self._unwritten = encoded
                self._changed.notify_all()

    def _wait_for_copy(self, checkpoint: WaitingCheckpoint) -> Snapshot | None:
        """The copy of a checkpoint; None where it could not be made."""
        with self._changed:
            self._changed.wait_for(lambda: checkpoint.lent is None)
        return checkpoint.snapshot

    def _look_ahead(self) -> Mapping[str, Tensor] | None:
        """The weights of the checkpoint behind the one that is encoded, if it comes soon."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._waiting) > 1 or self._drainers or self._closing,
                LOOK_AHEAD_SECONDS,
            )
            following = self._waiting[1] if len(self._waiting) > 1 else None
            if following is None:
                return None
            if following.snapshot is None:
                return following.lent  # It is not copied while this one holds the memory.
        return following.snapshot.wait()[0]

    def _write(self, encoded: EncodedCheckpoint) -> None:
        """Write what is not yet written of a checkpoint, and forget each part that is."""
        if encoded.header is not None:
            self._writer.begin_segment(encoded.batch, encoded.header)
            self._unwritten = encoded = encoded._replace(header=None)
        while encoded.records:
            self._writer.write(encoded.records[0])
            encoded.records.pop(0)
        with self._changed:
            self._unwritten = None
            self._changed.notify_all()

    def _report(self, error: Exception) -> None:
        if not isinstance(error, CheckpointError):
            self._encoder.begin_anew()  # Nobody knows what it holds.
        with self._changed:
            self._error, self._stuck = error, self._unwritten is not None
            self._changed.notify_all()


def _lower_priority() -> None:
    """Let this thread, and those that it starts, use what the training step leaves of the cores.

    That of a large generator keeps its priority. It works once a step, for a small part of it, and
    where a step that takes all cores left it none, the next call of `append` would wait for it.
    """
    if sys.platform == "linux":  # Threads have priorities of their own there.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def read_signature(weights: Mapping[str, Tensor]) -> Signature:
    """The names, shapes and dtypes of a state dict, in its order.

    Raises:
        CheckpointError: a value is not a tensor.
    """
    for name, value in weights.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"'{name}' in the weights is a {type(value).__name__}, not a tensor. "
                "Hand over G.state_dict()."
            )
    return [(name, tuple(t.shape), t.dtype) for name, t in weights.items()]


def _shapes(signature: Signature) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape, _ in signature}


def _describe_mismatch(run: str, expected: Signature, given: Signature) -> str:
    kept = {name: (shape, str(dtype).split(".")[1]) for name, shape, dtype in expected}
    new = {name: (shape, str(dtype).split(".")[1]) for name, shape, dtype in given}
    differing = sorted(n for n in kept.keys() | new.keys() if kept.get(n) != new.get(n))
    name = differing[0] if differing else "the order of the tensors"
    return (
        f"These weights do not fit the generator of run '{run}': {name} is "
        f"{new.get(name, 'missing')}, expected {kept.get(name, 'none')}. "
        "Another generator needs a run of its own."
    )


def max_snapshots(weights: Mapping[str, Tensor]) -> int:
    """How many checkpoints may wait in memory."""
    size_bytes = sum(t.nbytes for t in weights.values())
    return max(MIN_SNAPSHOTS, min(MAX_SNAPSHOTS, QUEUE_BYTES // max(1, size_bytes)))
