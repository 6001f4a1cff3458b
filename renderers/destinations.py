"""See that a file can be written where somebody wants it, before any work begins."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from renderers.errors import OutputTakenError, RenderError
from renderers.files import TEMPORARY_EXTRA, unwritable

MAX_NAME_BYTES = 255  # The longest name of a file or folder that common file systems have.


def require_place(path: Path) -> None:
    """See that a file may be written as path. Nothing is made, and what is there stays.

    Raises:
        RenderError: the name cannot be that of a file, something there is no file, or the folder
            cannot be made or written to.
    """
    _require_name(path)
    if path.is_dir():
        raise RenderError(f"{path} is a folder. Name a file in it, such as {path / 'city.mp4'}.")
    if path.exists() and not path.is_file():
        raise RenderError(f"{path} is neither a file nor free. Choose another name.")
    require_folder(path.parent)


def require_destination(path: Path, suffixes: Sequence[str], overwrite: bool) -> None:
    """See that a file of some kind may be written as path, before the work for it begins.

    Args:
        suffixes: those that say its kind, with their dots, in small letters.
        overwrite: somebody asked for what is there to be replaced.

    Raises:
        RenderError: another suffix, or see `require_place`.
        OutputTakenError: something is there.
    """
    if path.suffix.lower() not in suffixes:
        known = " or ".join(suffixes)
        raise RenderError(f"Cannot write '{path.name}': its name must end in {known}.")
    require_place(path)
    require_free(path, overwrite)


def require_folder(folder: Path) -> None:
    """See that folder is one that can be written to, or can be made.

    Raises:
        RenderError: it is something else, or cannot be made or written to.
    """
    _require_name(folder)
    there = next(above for above in (folder, *folder.absolute().parents) if _is_there(above))
    if not there.is_dir():
        raise RenderError(f"Cannot write in {folder}: {there} is no folder. Choose another folder.")
    try:
        with tempfile.TemporaryFile(dir=there):
            return
    except OSError as error:
        raise unwritable(folder, error) from error


def require_free(path: Path, overwrite: bool) -> None:
    """Refuse to replace what is there as path, unless somebody asked for it.

    Raises:
        OutputTakenError: something is there.
    """
    if not overwrite and _is_there(path):
        raise OutputTakenError(f"{path} is there already, and would be replaced.")


def _require_name(path: Path) -> None:
    for part in path.absolute().parts:
        too_long = len(os.fsencode(part)) + TEMPORARY_EXTRA > MAX_NAME_BYTES
        if too_long or any(ord(letter) < ord(" ") for letter in part):
            raise RenderError(
                f"'{part[:40]!a}' cannot be the name of a file: use at most "
                f"{MAX_NAME_BYTES - TEMPORARY_EXTRA} bytes, and no control characters."
            )


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)
