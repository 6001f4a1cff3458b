"""Folders that are written whole or not at all, where nothing of anybody else's is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checkpoints_index.storage.files import build_folder, remove_leftovers
from renderers.destinations import require_folder
from studio.workspace.errors import StudioError

SHOWN = 3  # So many names of what is in the way are shown.


def require_own_folder(folder: Path, known: frozenset[str], what: str) -> None:
    """Refuse a folder that cannot be written, or that holds other things.

    Args:
        folder: one that is not there, an empty one, or one that was written before.
        known: names that may be in it, since the same was written there before.
        what: what is written there, such as `a gallery`.

    Raises:
        StudioError: it is no folder, or holds other things.
        RenderError: it cannot be written.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise StudioError(f"{folder} is no folder. Name a new one for {what}.")
    others = sorted({path.name for path in folder.iterdir()} - known) if folder.exists() else []
    if others:
        more = f" and {len(others) - SHOWN:,} more" if len(others) > SHOWN else ""
        raise StudioError(
            f"{folder} holds other things ({', '.join(map(repr, others[:SHOWN]))}{more}), which "
            f"{what} would replace. Name a new or an empty folder."
        )
    require_folder(folder.parent)


@contextmanager
def writing_folder(folder: Path, known: frozenset[str], what: str) -> Iterator[Path]:
    """A folder to fill, which becomes `folder` when the block ends without an error.

    Args:
        folder, known, what: as for `require_own_folder`.

    Raises:
        StudioError: as `require_own_folder`, or it cannot be written.
        RenderError: as `require_own_folder`.
    """
    require_own_folder(folder, known, what)
    folder = folder.absolute()
    try:
        if folder.parent.is_dir():
            remove_leftovers(folder.parent, folder.name)
        with build_folder(folder, replace=True) as beside:
            yield beside
            require_own_folder(folder, known, what)
    except OSError as error:
        raise StudioError(f"{folder} cannot be written: {error.strerror or error}.") from error
