"""Appending records to the segments of one run."""

from __future__ import annotations

import errno
import logging
import os
import time
from pathlib import Path

from checkpoints_index.errors import CheckpointError, NoRoomForCheckpointError
from checkpoints_index.storage import segments
from checkpoints_index.storage.files import create_whole, truncate
from checkpoints_index.storage.ledger import Ledger
from checkpoints_index.storage.locks import lock_run
from checkpoints_index.storage.segments import PendingRecord, Record

SYNC_RECORDS = 64  # What was written is synced after so many records ...
SYNC_SECONDS = 0.5  # ... or after so long, whichever is first.

log = logging.getLogger(__name__)


class SegmentWriter:
    """Holds the one right to write to a run, and its open segment.

    What a killed writer left behind is cut off first.

    Args:
        run: the run's name.
        folder: its folder of checkpoints.

    Attributes:
        ledger: the list of the run's segments.

    Raises:
        RunLockedError: another process is writing to this run.
    """

    def __init__(self, run: str, folder: Path) -> None:
        self._run, self._folder = run, folder
        self._lock = lock_run(run, folder)
        self._file: int | None = None
        self._path, self._header = folder, b""
        self._records: list[Record] = []
        self._size = self._unsynced = 0
        self._unsynced_since = time.monotonic()
        cut_torn_tail(run, folder)
        self.ledger = Ledger.open_or_begin(run, folder)
        self.ledger.catch_up()

    @property
    def sync_due_s(self) -> float | None:
        """Seconds until what was written has to be synced; None where all is."""
        if not self._unsynced:
            return None
        return max(0.0, self._unsynced_since + SYNC_SECONDS - time.monotonic())

    def begin_segment(self, first_batch: int, header: bytes) -> None:
        """Finish the open segment, and put a new one in place.

        Args:
            first_batch: the batch that it begins with.
            header: what `headers.pack_header` gave.

        Raises:
            NoRoomForCheckpointError: the disk is full; nothing has changed.
            CheckpointError: the disk does not take the file; nothing has changed.
        """
        path = segments.segment_path(self._folder, first_batch)
        try:
            self.finish_segment()
            create_whole(path, header)
            self.ledger.enter(path, finished=False)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise self._failure(first_batch, len(header), error) from error
        self._path, self._header, self._size, self._records = path, header, len(header), []

    def write(self, pending: PendingRecord) -> None:
        """Write a record at the end of the open segment.

        Raises:
            NoRoomForCheckpointError: the disk is full; the file is as it was before.
            CheckpointError: the disk does not take it; the file is as it was before.
        """
        assert self._file is not None
        record = pending.at(self._path, self._size)
        try:
            self._write(segments.pack_head(record), pending.payload)
        except OSError as error:
            raise self._failure(pending.batch, len(pending.payload), error) from error
        self._records.append(record)

    def sync_if_due(self) -> None:
        """Sync what was written where it is much, or was written long ago; raises as `sync`."""
        if self._unsynced >= SYNC_RECORDS or self.sync_due_s == 0:
            self.sync()

    def sync(self) -> None:
        """Return when everything written is safely on disk.

        Raises:
            CheckpointError: the disk does not take it.
        """
        if self._file is not None and self._unsynced:
            try:
                os.fsync(self._file)
            except OSError as error:
                raise self._failure(self._records[-1].batch, 0, error) from error
        self._unsynced = 0

    def finish_segment(self) -> None:
        """Close the open segment with its table; the next record begins another.

        Where there is no room for the table, the segment is whole without it.

        Raises:
            CheckpointError: the disk does not take what was written before.
        """
        if self._file is None:
            return
        try:
            self._write(segments.pack_table(self._header, self._records, self._path, self._size))
        except OSError as error:
            log.info("%s: %s is closed without its table: %s", self._run, self._path.name, error)
        self.sync()
        os.close(self._file)
        self._file = None
        try:
            self.ledger.enter(self._path)
        except OSError as error:
            log.info("%s: %s is listed when it is next opened: %s", self._run, self._path, error)

    def close(self) -> None:
        """Finish the open segment, and give up the right to write; raises as `finish_segment`."""
        try:
            self.finish_segment()
        finally:
            self._lock.release()

    def _write(self, *parts: bytes) -> None:
        """Append bytes to the open file, all or none."""
        assert self._file is not None
        size_bytes = sum(map(len, parts))
        try:
            if os.writev(self._file, parts) < size_bytes:
                raise OSError(errno.ENOSPC, "short write")
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        if not self._unsynced:
            self._unsynced_since = time.monotonic()
        self._size += size_bytes
        self._unsynced += 1

    def _failure(self, batch: int, size_bytes: int, error: OSError) -> CheckpointError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NoRoomForCheckpointError(self._run, batch, size_bytes)
        return CheckpointError(
            f"Checkpoint {batch} of run '{self._run}' could not be written to "
            f"{self._path.name}: {error.strerror}. All checkpoints before it are whole. "
            "Look after the disk, and resume."
        )


def cut_torn_tail(run: str, folder: Path) -> None:
    """Cut off what a killed writer left behind its last whole record, and log it.

    Args:
        run: the run's name, for the log.
        folder: its folder of checkpoints; the caller holds its lock.
    """
    paths = segments.list_segments(folder)
    if not paths:
        return
    segment = segments.scan_segment(paths[-1])
    if segment.description is None and not segment.records:
        return  # Nothing of it is known, least of all where it ends.
    whole_bytes = segment.whole_bytes
    last = segment.records[-1] if segment.records and not segment.finished else None
    if last is not None and segments.read_payload(last) is None:
        whole_bytes = last.offset  # Its head reached the disk, its payload did not.
    if whole_bytes < segment.file_bytes:
        torn = segment.file_bytes - whole_bytes
        log.warning("%s: cut a torn tail of %d bytes off %s", run, torn, segment.path.name)
        truncate(segment.path, whole_bytes)
