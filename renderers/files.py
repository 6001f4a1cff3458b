"""Files that are either whole or absent, and a folder that one render at a time works in."""

from __future__ import annotations

import fcntl
import glob
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from renderers.errors import RenderError


def temporary_sibling(path: Path) -> Path:
    """A fresh hidden name beside path, with the same suffix; `remove_leftovers` knows it again."""
    return path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")


def remove_leftovers(folder: Path, stem: str | None = None) -> None:
    """Delete what killed processes left in folder under temporary names, of one file or of all."""
    for leftover in folder.glob(f".{glob.escape(stem) if stem else '*'}.????????.tmp.*"):
        leftover.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create folder and its parents.

    Raises:
        RenderError: it cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RenderError(f"Cannot write in {folder}: permission denied. Choose another folder.")


def unwritable(path: Path, error: OSError) -> RenderError:
    """What to tell a person about an OSError met while writing path."""
    return RenderError(
        f"Cannot write {path}: {error.strerror or error}. Free some space or choose another folder."
    )


def publish(temporary: Path, path: Path) -> None:
    """Make temporary durable and give it its final name, replacing what is there."""
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out a temporary sibling, published as path when the block ends well, else deleted.

    Raises:
        RenderError: the file system refuses: no permission, no space.
    """
    make_folder(path.parent)
    temporary = temporary_sibling(path)
    try:
        yield temporary
        publish(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(document: Any, path: Path) -> None:
    """Write one JSON document as path, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The JSON document in path; None where there is none, or none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold folder for this process; a second one waits. The lock ends with its process.

    The file `.lock` stays behind, because deleting a lock that another process waits for
    would let two in.
    """
    make_folder(folder)
    try:
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise unwritable(folder, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
