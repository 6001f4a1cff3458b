"""The numbers of a training run, one JSON object a line."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

FLUSH_SECONDS = 1.0

log = logging.getLogger(__name__)


class MetricsLog:
    """Appends; what a killed process leaves is a prefix, perhaps with a torn last line.

    Where the disk has no room, entries wait in memory until it has.
    """

    def __init__(self, path: Path) -> None:
        _end_torn_line(path)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.seek(0, os.SEEK_END)
        self._waiting = bytearray()
        self._written_at = time.monotonic()

    def append(self, batch: int, metrics: dict[str, float]) -> None:
        self._waiting += json.dumps({"batch": batch, **metrics}).encode() + b"\n"
        if time.monotonic() - self._written_at > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits, all or nothing."""
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
        self.flush()
        self._file.close()


class MetricsHistory:
    """All entries by ascending batch, kept up to date while another process appends to them.

    Where a run went back to resume, the later word counts.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.entries = path, list[dict[str, Any]]()
        self._inode, self._read_bytes = -1, 0
        self.refresh()

    def refresh(self) -> None:
        """Take in the lines that were ended since the last look."""
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
    """The entries as they stand; see `MetricsHistory`."""
    return MetricsHistory(path).entries


def _parse(line: bytes) -> dict[str, Any] | None:
    """The entry on a line; None for one that a kill cut short."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "batch" in entry else None


def _end_torn_line(path: Path) -> None:
    """End a line that a kill cut short, so that the next one begins on its own."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
