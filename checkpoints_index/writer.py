"""Appending checkpoints to the segments of one run."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from checkpoints_index import integers, segments
from checkpoints_index.calibration import Calibration, Promise, mean_changes
from checkpoints_index.errors import CheckpointError, DiskFullError
from checkpoints_index.integers import Lanes, Layout
from checkpoints_index.locks import WriterLock
from checkpoints_index.spec import GeneratorSpec

KEY_INTERVAL = 32  # checkpoints from one key to the next
CHECK_INTERVAL = 8  # checkpoints from one rendered check of the promise to the next
CHECK_PICTURES = 4
SEGMENT_RECORDS = 256
SEGMENT_BYTES = 1 << 29
SYNC_RECORDS, SYNC_SECONDS = 64, 2.0
COMPRESSION_LEVEL = {"exact": 1, "visual": 3}

log = logging.getLogger(__name__)


class CheckpointWriter:
    """Holds the one right to write to a run, and the integers of its newest checkpoint."""

    def __init__(self, run: str, folder: Path, spec: GeneratorSpec, storage: str) -> None:
        self._run, self._folder, self._spec, self._storage = run, folder, spec, storage
        self._lock = WriterLock(folder, run)
        self._calibration: Calibration | None = None
        self._layout: Layout | None = None
        self._newest: tuple[int, Lanes] | None = None
        self._file: int | None = None
        self._path = folder
        self._size = self._records = self._unsynced = 0
        self._synced_at = time.monotonic()
        cut_torn_tail(run, folder)

    def append(self, batch: int, weights: Mapping[str, Tensor]) -> segments.Record:
        """Write one checkpoint and say where it lies.

        Raises:
            CheckpointError: the weights are not those of this run's generator.
            DiskFullError: there is no room; nothing was written.
        """
        lanes = self._place(batch, weights)
        if self._storage == "visual" and self._is_check_due():
            lanes = self._renew_if_visible(batch, weights, lanes)
        base = self._newest if self._records % KEY_INTERVAL else None
        payload = integers.pack(lanes, base[1] if base else None, COMPRESSION_LEVEL[self._storage])
        record = segments.Record.of(
            self._path,
            self._size,
            batch,
            base[0] if base else None,
            payload,
            integers.checksum(lanes),
        )
        self._write(batch, segments.pack_record(record, payload))
        self._newest = batch, lanes
        return record

    def flush(self) -> None:
        """Return when everything written is safely on disk."""
        if self._file is not None:
            os.fsync(self._file)
        self._unsynced, self._synced_at = 0, time.monotonic()

    def close(self) -> None:
        self.close_segment()
        self._lock.release()

    def _place(self, batch: int, weights: Mapping[str, Tensor]) -> Lanes:
        """The weights as integers of the open segment; a new one where they do not fit in it."""
        if self._storage == "visual":
            self._refuse_if_not_finite(batch, weights)
        full = self._records >= SEGMENT_RECORDS or self._size >= SEGMENT_BYTES
        if self._layout is None or self._file is None or full:
            return self._begin_segment(batch, weights)
        if not self._layout.fits(weights):
            raise CheckpointError(_describe_mismatch(self._run, self._layout, weights))
        try:
            return self._layout.to_integers(weights)
        except OverflowError as overflow:
            log.info("%s: a new segment at batch %d, since %s", self._run, batch, overflow)
            return self._begin_segment(batch, weights)

    def _refuse_if_not_finite(self, batch: int, weights: Mapping[str, Tensor]) -> None:
        for name, tensor in weights.items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise CheckpointError(
                    f"Checkpoint {batch} of run '{self._run}' is not kept: '{name}' holds numbers "
                    "that are not finite. Training has diverged; resume from an earlier state."
                )

    def _is_check_due(self) -> bool:
        """Often while a segment is young, since weights move fastest then; then regularly."""
        young = self._records & (self._records - 1) == 0
        return self._records > 0 and (young or self._records % CHECK_INTERVAL == 0)

    def _renew_if_visible(self, batch: int, weights: Mapping[str, Tensor], lanes: Lanes) -> Lanes:
        """Begin a segment with new steps where the old ones have come to show."""
        assert self._calibration is not None
        assert self._layout is not None
        kept = self._layout.to_weights(lanes)
        if self._calibration.keeps_promise(weights, kept, CHECK_PICTURES):
            return lanes
        return self._begin_segment(batch, weights)

    def _begin_segment(self, batch: int, weights: Mapping[str, Tensor]) -> Lanes:
        """Choose steps, write the header beside, and put it in place. The next record is a key."""
        if self._layout is None:
            self._check_architecture(weights)
        layout = Layout.of(weights, self._choose_steps(weights))
        lanes = layout.to_integers(weights)
        header = segments.pack_header(
            {
                "format": 1,
                "id": secrets.token_hex(8),
                "run": self._run,
                "generator": asdict(self._spec),
                "storage": self._storage,
                "tensors": layout.to_json(),
                "promise": asdict(self._calibration.promise) if self._calibration else None,
            }
        )
        self.close_segment()
        path = segments.segment_path(self._folder, batch)
        create_whole(path, header)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._path, self._size, self._records = path, len(header), 0
        self._layout = layout
        return lanes

    def _check_architecture(self, weights: Mapping[str, Tensor]) -> None:
        with torch.device("meta"):
            expected = self._spec.build().state_dict()
        if {n: t.shape for n, t in expected.items()} != {n: t.shape for n, t in weights.items()}:
            message = _describe_mismatch(self._run, Layout.of(expected, {}), weights)
            raise CheckpointError(message)

    def _choose_steps(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        if self._storage == "exact":
            return {}
        if self._calibration is None:
            self._calibration = Calibration(self._spec, Promise())
        changes = None
        if self._layout is not None and self._newest is not None and self._layout.fits(weights):
            changes = mean_changes(self._layout.to_weights(self._newest[1]), weights)
        return self._calibration.choose_steps(weights, changes)

    def _write(self, batch: int, record: bytes) -> None:
        assert self._file is not None
        try:
            written = os.write(self._file, record)
            if written < len(record):
                raise OSError(errno.ENOSPC, "short write")
        except OSError as error:
            os.ftruncate(self._file, self._size)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DiskFullError(
                f"No room for checkpoint {batch} of run '{self._run}' ({len(record):,} bytes). "
                f"All checkpoints before it are whole. Free some space and go on."
            ) from error
        self._size += len(record)
        self._records += 1
        self._unsynced += 1
        waited_s = time.monotonic() - self._synced_at
        if self._unsynced >= SYNC_RECORDS or waited_s >= SYNC_SECONDS:
            self.flush()

    def close_segment(self) -> None:
        """Append no more to the open segment; the next checkpoint begins one."""
        self._newest = None
        if self._file is not None:
            self.flush()
            os.close(self._file)
            self._file = None


def create_whole(path: Path, content: bytes) -> None:
    """Create a file that is either complete under its name or not there at all."""
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cut_torn_tail(run: str, folder: Path) -> None:
    """Cut what a killed writer left behind its last whole record, and say so."""
    paths = segments.list_segments(folder)
    if not paths:
        return
    segment = segments.scan_segment(paths[-1])
    whole_bytes = segment.whole_bytes
    if segment.records and segments.read_payload(segment.records[-1]) is None:
        whole_bytes = segment.records[-1].offset  # its head reached the disk, its payload did not
    if whole_bytes < segment.file_bytes:
        torn = segment.file_bytes - whole_bytes
        log.warning("%s: cut a torn tail of %d bytes off %s", run, torn, segment.path.name)
        truncate(segment.path, whole_bytes)


def truncate(path: Path, size_bytes: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size_bytes)
        os.fsync(file.fileno())


def _describe_mismatch(run: str, layout: Layout, weights: Mapping[str, Tensor]) -> str:
    stored = {entry.name: (entry.shape, entry.dtype) for entry in layout.entries}
    given = {name: (tuple(t.shape), str(t.dtype).split(".")[1]) for name, t in weights.items()}
    differing = sorted(n for n in stored.keys() | given.keys() if stored.get(n) != given.get(n))
    name = differing[0] if differing else "the order of the tensors"
    return (
        f"These weights do not fit the generator of run '{run}': {name} is "
        f"{given.get(name, 'missing')}, expected {stored.get(name, 'none')}. "
        "Another generator needs a run of its own."
    )
