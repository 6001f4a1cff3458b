"""Pictures that a browser has sent, kept in the workspace until a dataset is made of them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from renderers.files import file_name
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

KEPT_S = 7 * 24 * 3600  # Folders go when they are older; a job may have waited that long.


def keep_uploads(workspace: Workspace, files: Sequence[Path]) -> Path:
    """Copy files into a new folder of the workspace, and remove the folders that are old.

    Args:
        files: those that were sent; their names are from outside.

    Returns:
        The folder.

    Raises:
        StudioError: they cannot be written.
    """
    _remove_old(workspace)
    folder = None
    try:
        workspace.uploads.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="pictures-", dir=workspace.uploads))
        for number, file in enumerate(files):
            shutil.copyfile(file, folder / f"{number:05d}-{file_name(file.name)[-60:]}")
    except OSError as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise StudioError(
            f"The pictures cannot be kept in the workspace: {error.strerror}. Make room, or give "
            "the path of their folder."
        ) from error
    return folder


def _remove_old(workspace: Workspace) -> None:
    if not workspace.uploads.is_dir():
        return
    for folder in workspace.uploads.iterdir():
        if folder.is_dir() and time.time() - folder.stat().st_mtime > KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)
