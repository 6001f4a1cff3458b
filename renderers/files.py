"""Write files that are either whole or absent, and lock a folder for one render at a time.

Nothing is written in place: a file is written under a hidden name beside its own, synced to disk
and renamed. This is the one module of `renderers` that does so.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from renderers.errors import RenderError

TEMPORARY_EXTRA = len("..abcdefgh.tmp")  # A name is so much longer while it is being written.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
MAX_NAME_BYTES = 100
CHECKSUM = "checksum"  # The last key of a document: the checksum of all that stands before it.
SHA256_DIGITS = re.compile("[0-9a-f]{64}")
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")  # By Windows, for devices.


def file_name(text: str) -> str:
    """A text as a part of a file's name that every program and file system takes.

    ffmpeg and scp read a colon as that of an address, NTFS and exFAT refuse it; `seed:1` is
    `seed-1`. A text that is changed by more than that gets a digest, so that two stay two.

    Example:
        >>> file_name("16500.28"), file_name("seed:1"), file_name("../con")
        ('16500.28', 'seed-1', 'con-a2436930')
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-")
    is_known = plain == text or plain == text.replace("seed:", "seed-")
    if is_known and plain and len(plain) <= MAX_NAME_BYTES and not RESERVED.fullmatch(plain):
        return plain
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    marked = f"{plain[: MAX_NAME_BYTES - 10].rstrip('.-')}-{digest}".lstrip("-")
    return f"_{marked}" if RESERVED.fullmatch(marked) else marked


def file_names(texts: Sequence[str]) -> list[str]:
    """`file_name` of each text; names that differ in the case of letters alone get numbers.

    Example:
        >>> file_names(["a", "A", "b"])
        ['a', 'A-2', 'b']
    """
    names: list[str] = []
    for text in texts:
        name, number = file_name(text), 1
        taken = {other.lower() for other in names}
        while (fresh := name if number == 1 else f"{name}-{number}").lower() in taken:
            number += 1
        names.append(fresh)
    return names


def checksum_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_json(document: dict[str, Any]) -> str:
    """SHA-256 of a document as JSON with sorted keys, hexadecimal."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def note_path(folder: Path, path: Path) -> str:
    """A path as a record in a folder holds it: from the folder on where it lies in or beside it.

    So folders may be moved or copied with all that they say of each other.

    Example:
        >>> note_path(Path("/films/a"), Path("/films/a/city.mp4"))
        'city.mp4'
    """
    path, folder = path.resolve(), folder.resolve()
    return os.path.relpath(path, folder) if path.is_relative_to(folder.parent) else str(path)


def noted_path(folder: Path, text: str) -> Path:
    """The path that a record in a folder means.

    Earlier versions wrote whole paths. One that leads through a folder named as this one,
    or as the one around it, to what lies there was written before these were moved.

    Example:
        >>> str(noted_path(Path("/films/a"), "city.mp4"))
        '/films/a/city.mp4'
    """
    folder, parts = folder.resolve(), Path(text).parts
    for known in (folder, folder.parent) if Path(text).is_absolute() else ():
        if known.name in parts[:-1]:
            own = len(parts) - parts[::-1].index(known.name)
            moved = known.joinpath(*parts[own:])
            if moved.exists() or ("%" in moved.name and moved.parent.is_dir()):
                return moved
    return Path(os.path.normpath(folder / text))


class PendingFile:
    """A file that is being written beside its final name.

    Args:
        path: the final name; its folder is made.

    Attributes:
        temporary: where to write, a hidden name with the suffix of path.

    Raises:
        RenderError: the folder cannot be created or written to.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._path = path
        self.temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")

    def publish(self) -> None:
        """Make what was written durable and give it its name, replacing what is there.

        Raises:
            RenderError: the file system refuses: no space, no permission.
        """
        try:
            _publish(self.temporary, self._path)
        except OSError as error:
            raise unwritable(self._path, error) from error

    def discard(self) -> None:
        """Delete what was written; nothing happens after `publish`."""
        self.temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out a temporary path, published as path when the block ends well, else deleted.

    Raises:
        RenderError: the file system refuses: no permission, no space.
    """
    pending = PendingFile(path)
    try:
        yield pending.temporary
        pending.publish()
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        pending.discard()


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Hand out a fresh folder, which takes the place of folder when the block ends well.

    Raises:
        RenderError: the file system refuses: no permission, no space.
    """
    make_folder(folder.parent)
    for leftover in folder.parent.glob(f".{glob.escape(folder.name)}.????????.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh, former = (folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp") for _ in "12")
    try:
        fresh.mkdir()
        yield fresh
        for file in fresh.iterdir():
            _sync(file)
        if folder.exists():
            folder.rename(former)
        _publish(fresh, folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        for leftover in (fresh, former):
            shutil.rmtree(leftover, ignore_errors=True)


def remove_leftovers(folder: Path, stem: str | None = None) -> None:
    """Delete the temporary files that killed processes left in folder.

    Args:
        stem: only those of the files with this name (without suffix); all if None.
    """
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
    """The error that tells of an OSError met while writing path."""
    remedy = "Free some space or choose" if error.errno in NO_ROOM else "Choose"
    return RenderError(f"Cannot write {path}: {error.strerror or error}. {remedy} another folder.")


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write one JSON document with its checksum as path, whole or not at all.

    Args:
        document: what `json.dumps` takes; it has no key `checksum`.
        path: its folder is made.

    Raises:
        RenderError: it cannot be written.
    """
    sealed = {**document, CHECKSUM: checksum_json(document)}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(sealed, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any] | None:
    """What `write_json` was given; documents of older versions have no checksum, and are believed.

    Returns:
        None where there is no file, or one that is not what was written.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    said = {name: value for name, value in document.items() if name != CHECKSUM}
    if CHECKSUM not in document:
        last = str(next(reversed(said.values()), ""))
        return None if SHA256_DIGITS.fullmatch(last) else said  # Its key has changed.
    try:
        return said if document[CHECKSUM] == checksum_json(said) else None
    except ValueError:  # A half of a surrogate pair has no bytes.
        return None


def has_changed(path: Path) -> bool:
    """Whether there is a document in path, and it is not what `write_json` wrote."""
    return read_json(path) is None and path.exists()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold folder for this process; a second one waits. The lock ends with its process.

    The file `.lock` stays behind, because deleting a lock that another process waits for
    would let two in.

    Raises:
        RenderError: folder cannot be created or written to.
    """
    make_folder(folder)
    try:
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise unwritable(folder, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _publish(temporary: Path, path: Path) -> None:
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
