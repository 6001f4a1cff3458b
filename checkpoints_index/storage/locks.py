"""One writer a run, held by the operating system, so that a killed writer leaves no lock."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from checkpoints_index.errors import CheckpointError


class WriterLock:
    """An advisory lock on a file of the run's folder, gone when the process is."""

    def __init__(self, folder: Path, run: str) -> None:
        """Take the lock.

        Raises:
            CheckpointError: somebody else is writing to this run.
        """
        self._descriptor = os.open(folder / "writer.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise CheckpointError(
                f"Run '{run}' is being written to by another process, and a run has one writer. "
                f"Stop that one first: studio stop {run}"
            ) from None

    def release(self) -> None:
        os.close(self._descriptor)
