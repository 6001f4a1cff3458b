"""Files and folders that are complete under their name or not there at all.

Everything is written beside its place, synced, and moved there in one step, so that a killed
process or a full disk leaves what was there before. What a killed process leaves beside it has a
hidden name that ends in `.part`, and `remove_leftovers` takes it away.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PART = ".part"  # suffix of what is not complete yet
_REPLACED = ".replaced"  # suffix of a folder that is about to be replaced


def create_whole(path: Path, content: bytes) -> None:
    """Create or replace a file in one step.

    Raises:
        OSError: it cannot be written; what was there is untouched.
    """
    with open_whole(path) as file:
        file.write(content)


@contextmanager
def open_whole(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write to, which becomes `path` when the block ends without an error.

    Its name while it is written is `file.name`. Two processes that write the same path at a time
    do not disturb each other: the later one wins.

    Raises:
        OSError: it cannot be written; what was there is untouched.
    """
    beside = _name_beside(path)
    try:
        with _create_locked(beside) as file:
            yield file
            sync_file(file)
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def build_folder(path: Path, replace: bool = False) -> Iterator[Path]:
    """A folder to fill, which becomes `path` when the block ends without an error.

    Whoever fills it syncs its files, such as by `open_whole`. Where a folder is replaced and the
    process is killed between the two renames, `restore_replaced` puts the former one back.

    Args:
        path: the folder to be; its parent is made if it is not there.
        replace: whether a folder of that name may be replaced.

    Raises:
        FileExistsError: there is one, and it is not to be replaced.
        OSError: it cannot be written; what was there is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    restore_replaced(path)
    _refuse_existing(path, replace)
    try:
        with scratch_folder(path) as beside:
            yield beside
            sync_folder(beside)
            _refuse_existing(path, replace)
            if path.exists():
                path.rename(_name_replaced(path))
            beside.rename(path)
            sync_folder(path.parent)
    finally:
        restore_replaced(path)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A folder for what is needed while `path` is made; it is gone when the block ends.

    It lies beside `path`, and `remove_leftovers` takes it away where a process was killed.

    Raises:
        OSError: it cannot be made.
    """
    beside = _name_beside(path)
    lock = _make_locked_folder(beside)
    try:
        yield beside
    finally:
        os.close(lock)
        shutil.rmtree(beside, ignore_errors=True)


def restore_replaced(path: Path) -> None:
    """Undo a replacement that was cut off halfway, or clear away what it replaced."""
    replaced = _name_replaced(path)
    if replaced.exists() and not path.exists():
        replaced.rename(path)
    shutil.rmtree(replaced, ignore_errors=True)


def link_whole(source: Path, path: Path) -> None:
    """Give a file a second name, replacing what has it; both share their room on the disk.

    Raises:
        OSError: the file system has no hard links, or does not take this one.
    """
    beside = _name_beside(path)
    try:
        beside.hardlink_to(source)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_leftovers(folder: Path, name: str = "*") -> list[Path]:
    """Remove what killed processes left incomplete in a folder; what is being written stays.

    Args:
        folder: where to look, not below it.
        name: a pattern of the names that were to be, as `Path.glob` takes it.

    Returns:
        The paths that are gone, sorted.
    """
    removed = []
    former = (path for path in folder.glob(f"{name}{PART}") if path.is_file())
    for path in sorted({*folder.glob(f".{name}.*{PART}"), *former}):
        with suppress(FileNotFoundError):
            if _is_abandoned(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed.append(path)
    return removed


def sync_file(file: BinaryIO) -> None:
    """Return when what was written to a file is safely on disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are safely on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def truncate(path: Path, size_bytes: int) -> None:
    """Cut a file to a size, safely on disk."""
    with path.open("r+b") as file:
        file.truncate(size_bytes)
        os.fsync(file.fileno())


def _create_locked(beside: Path) -> BinaryIO:
    """Create a file that `remove_leftovers` knows to be in use until it is closed."""
    while True:
        file = beside.open("xb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # It was taken for a leftover before it was locked.


def _make_locked_folder(beside: Path) -> int:
    """Make a folder that `remove_leftovers` knows to be in use until the descriptor is closed."""
    while True:
        beside.mkdir()
        with suppress(FileNotFoundError):
            descriptor = os.open(beside, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)  # It was taken for a leftover before it was locked.


def _is_abandoned(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _refuse_existing(path: Path, replace: bool) -> None:
    if path.exists() and not replace:
        raise FileExistsError(f"{path} exists already")


def _name_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")


def _name_replaced(path: Path) -> Path:
    return path.with_name(f".{path.name}{_REPLACED}")
