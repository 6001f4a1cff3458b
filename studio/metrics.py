"""The numbers of a training run, one JSON object a line."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

FLUSH_SECONDS = 1.0


class MetricsLog:
    """Appends; what a killed process leaves is a prefix, perhaps with a torn last line."""

    def __init__(self, path: Path) -> None:
        _end_torn_line(path)
        self._file = path.open("a", encoding="utf-8")
        self._flushed_at = time.monotonic()

    def append(self, batch: int, metrics: dict[str, float]) -> None:
        self._file.write(json.dumps({"batch": batch, **metrics}) + "\n")
        if time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            self._file.flush()
            self._flushed_at = time.monotonic()

    def close(self) -> None:
        self._file.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All entries by ascending batch. Where a run went back to resume, the later word counts."""
    if not path.exists():
        return []
    entries: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = _parse(line)
        if entry is None:
            continue
        while entries and entries[-1]["batch"] >= entry["batch"]:
            entries.pop()
        entries.append(entry)
    return entries


def _parse(line: str) -> dict[str, Any] | None:
    """The entry on a line; None for one that a kill cut short."""
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
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
