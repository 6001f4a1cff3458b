"""Exclusive locks on files and folders, which the system frees when their holder is gone.

`filelock`, which torch brings along, does not fit: depending on its version it empties the file,
so that nothing can say who holds it, it locks no folder, and where a file system has no flock(2)
it falls back to files that a killed holder leaves behind.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from checkpoints_index.errors import RunLockedError


class FileLock:
    """An advisory lock, flock(2), held until `release` or the end of the process.

    Args:
        path: a file, which is made where it is missing and stays, since a lock file that was
            deleted would let two in; or a folder that is there.
        wait: wait until it is free, rather than raise.
        note: written into a file while it is held, for `read_holder`; by default the process's
            number. A folder takes none.
        shared: let others in that share it as well.

    Raises:
        BlockingIOError: somebody else holds it.
        OSError: it cannot be opened or made.
    """

    def __init__(
        self, path: Path, wait: bool = False, note: str | None = None, shared: bool = False
    ) -> None:
        self.path = path
        is_folder = path.is_dir()
        flags = os.O_RDONLY if is_folder else os.O_RDWR | os.O_CREAT
        self._descriptor: int | None = os.open(path, flags | os.O_CLOEXEC, 0o644)
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(self._descriptor, kind | (0 if wait else fcntl.LOCK_NB))
            if not is_folder:
                text = f"process {os.getpid()}" if note is None else note
                os.truncate(self._descriptor, 0)
                os.pwrite(self._descriptor, text.encode(), 0)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let others in; doing it again changes nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock of a file; nobody does where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_holder(path: Path) -> str:
    """What the last holder of a lock file noted in it; "" where nothing can be read."""
    try:
        return path.read_bytes()[:200].decode(errors="replace")
    except OSError:
        return ""


def lock_run(run: str, folder: Path) -> FileLock:
    """Take the one right to write to a run.

    Args:
        run: its name, for the message.
        folder: its folder of checkpoints.

    Raises:
        RunLockedError: another process has it, or another `CheckpointRun` of this one.
    """
    path = folder / "writer.lock"
    try:
        return FileLock(path)
    except BlockingIOError:
        raise RunLockedError(run, read_holder(path)) from None
