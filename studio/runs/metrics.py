"""The numbers of a training run on disk: one JSON object a line, one line a batch."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

from checkpoints_index.storage.seals import read_sealed_json, seal_json

FLUSH_SECONDS = 1.0

log = logging.getLogger(__name__)


class MetricsLog:
    """Appends entries; a killed process leaves whole lines, and perhaps a torn last one.

    While the disk has no room, entries wait in memory.

    Args:
        path: the file; made if new.
    """

    def __init__(self, path: Path) -> None:
        _end_torn_line(path)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.seek(0, os.SEEK_END)
        self._waiting = bytearray()
        self._written_at = time.monotonic()

    def append(self, batch: int, metrics: dict[str, Any]) -> None:
        """Add the entry of a batch; it is written within about a second."""
        self._waiting += seal_json({"batch": batch, **metrics}) + b"\n"
        if time.monotonic() - self._written_at > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the entries that wait, all of them or none."""
        self._written_at = time.monotonic()
        try:
            written = self._file.write(self._waiting)
        except OSError as error:
            log.info("%s waits for room on the disk: %s", self._file.name, error.strerror)
            return
        if written == len(self._waiting):
            self._size += written
            self._waiting.clear()
        else:
            self._file.truncate(self._size)

    def close(self) -> None:
        """Write the entries that wait, and close the file."""
        self.flush()
        self._file.close()


class MetricsHistory:
    """The entries of a log by ascending batch, while another process appends to it.

    Where a run went back and trained batches again, their later entries count.

    Attributes:
        entries: dicts with `batch` and the metrics of that batch.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.entries = path, list[dict[str, Any]]()
        self._inode, self._read_bytes = -1, 0
        self.refresh()

    def refresh(self) -> None:
        """Read the lines that were finished since the last call."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            self.entries, self._read_bytes = [], 0
            return
        with file:
            state = os.fstat(file.fileno())
            if state.st_ino != self._inode or state.st_size < self._read_bytes:
                self.entries, self._inode, self._read_bytes = [], state.st_ino, 0
            file.seek(self._read_bytes)
            whole = file.read(state.st_size - self._read_bytes).rpartition(b"\n")[0]
        self._read_bytes += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        entry = _parse(line)
        if entry is None:
            return
        while self.entries and self.entries[-1]["batch"] >= entry["batch"]:
            self.entries.pop()
        self.entries.append(entry)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The entries of a log as they are now; see `MetricsHistory`."""
    return MetricsHistory(path).entries


def _parse(line: bytes) -> dict[str, Any] | None:
    """The entry on a line; None for one that is torn, or has changed since it was written."""
    try:
        entry = read_sealed_json(line)
    except ValueError:
        return None
    return entry if "batch" in entry else None


def _end_torn_line(path: Path) -> None:
    """End a torn last line, so that the next entry begins on a line of its own."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
