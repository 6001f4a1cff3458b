"""What can go wrong with stored checkpoints, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class CheckpointError(Exception):
    """Anything about stored checkpoints that a person can act on."""


class DamagedCheckpointError(CheckpointError):
    """What is on disk is not what was written."""

    def __init__(self, run: str, batch: int, path: Path, reason: str) -> None:
        self.run, self.batch, self.path, self.reason = run, batch, path, reason
        super().__init__(
            f"Checkpoint {batch} of run '{run}' is damaged in {path.name}: {reason}. "
            f"See what else is: studio verify {run} --deep"
        )

    def __reduce__(self) -> tuple[type, tuple[str, int, Path, str]]:
        """So that it comes whole out of a worker process."""
        return type(self), (self.run, self.batch, self.path, self.reason)


class DiskFullError(CheckpointError):
    """There was no room for a checkpoint; everything written before it is whole."""


class UnusableFileError(CheckpointError):
    """One file has no generator for us; its text is a reason, without the name of the file."""


def name_some(names: Sequence[str], most: int) -> str:
    """Many things in a sentence: the first of them, and how many there are besides.

    Example:
        >>> name_some(["1", "3", "4", "9"], 2)
        '1, 3 and 2 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
