"""The numbers of a training run on disk: one JSON object a line, one line a batch."""

from __future__ import annotations

import csv
import errno
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from checkpoints_index.storage.seals import Seal, read_sealed_json, seal_json, unseal_json
from studio.workspace.errors import StudioError

FLUSH_SECONDS = 1.0
SEAL_ENDS, SEAL_DIGITS = b'"xxh3": ""}', 16  # A line ends so, with the digits inside.


class MetricsLog:
    """Appends entries; a killed process leaves whole lines, and perhaps a torn last one.

    While the disk has no room, entries wait in memory; `require_written` tells of it.

    Args:
        path: the file; made if new.
    """

    def __init__(self, path: Path) -> None:
        _end_torn_line(path)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.seek(0, os.SEEK_END)
        self._waiting = bytearray()
        self._refusal = ""  # Why the file did not take what waits.
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
            self._refusal = str(error.strerror or error)
            return
        if written == len(self._waiting):
            self._size += written
            self._waiting.clear()
            self._refusal = ""
        else:
            self._file.truncate(self._size)
            self._refusal = os.strerror(errno.ENOSPC)

    def require_written(self) -> None:
        """See that no entry waits because the file does not take it.

        Raises:
            StudioError: so many wait.
        """
        if self._refusal:
            count = self._waiting.count(b"\n")
            raise StudioError(
                f"the numbers of {count:,} batches wait to be written to {self._file.name}: "
                f"{self._refusal}. Free some space."
            )

    def close(self) -> None:
        """Write the entries that wait, and close the file.

        Raises:
            StudioError: they cannot be written, and are lost.
        """
        self.flush()
        self._file.close()
        self.require_written()


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


def write_csv(entries: Sequence[dict[str, Any]], file: TextIO) -> list[str]:
    """Write entries as CSV: a head, then a row for each, with `batch` in the first column.

    Returns:
        The names of the columns.
    """
    names = dict.fromkeys(name for entry in entries for name in entry)
    columns = ["batch", *(name for name in names if name != "batch")]
    table = csv.DictWriter(file, columns)
    table.writeheader()
    table.writerows(entries)
    return columns


def find_changed_lines(path: Path) -> list[int]:
    """The numbers of the lines, from 1, that are not what was written.

    A line that was torn by a kill, and one of an older version without a checksum, is none of them.
    """
    lines = path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []
    return [number for number, line in enumerate(lines, 1) if _has_changed(line)]


def _has_changed(line: bytes) -> bool:
    before, after = line[-len(SEAL_ENDS) - SEAL_DIGITS : -2 - SEAL_DIGITS], line[-2:]
    alike = sum(a == b for a, b in zip(before + after, SEAL_ENDS, strict=False))
    if alike < len(SEAL_ENDS) - 1:
        return False  # It does not end in a seal, not even in one with a changed byte.
    try:
        return unseal_json(line)[1] is not Seal.WHOLE
    except ValueError:
        return True


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
