"""Folders that are written whole or not at all, where nothing of anybody else's is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from checkpoints_index.storage.files import build_folder, remove_leftovers
from renderers.destinations import require_folder
from studio.workspace.errors import StudioError

SHOWN = 3  # So many names of what is in the way are shown.
MARKED_BYTES = 100_000  # The mark stands among the first bytes of its file.


@dataclass(frozen=True)
class OwnFolder:
    """A kind of folder that may be written anew where the same was written before.

    Attributes:
        what: what it is, such as `a gallery`.
        names: what may lie in it.
        marked: the one of its files that says who wrote it.
        mark: the bytes in that file which do.
    """

    what: str
    names: frozenset[str]
    marked: str
    mark: bytes

    def require(self, folder: Path) -> None:
        """Refuse a folder that cannot be written, or that holds other things.

        Args:
            folder: one that is not there, an empty one, or one that was written so before.

        Raises:
            StudioError: it is no folder, or holds other things.
            RenderError: it cannot be written.
        """
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise StudioError(f"{folder} is no folder. Name a new one for {self.what}.")
        there = {path.name for path in folder.iterdir()} if folder.exists() else set()
        others = sorted(there - self.names) or (sorted(there) if not self._is_own(folder) else [])
        if there and others:
            more = f" and {len(others) - SHOWN:,} more" if len(others) > SHOWN else ""
            raise StudioError(
                f"{folder} holds other things ({', '.join(map(repr, others[:SHOWN]))}{more}), "
                f"which {self.what} would replace. Name a new or an empty folder."
            )
        require_folder(folder.parent)

    def _is_own(self, folder: Path) -> bool:
        path = folder / self.marked
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return self.mark in file.read(MARKED_BYTES)

    @contextmanager
    def writing(self, folder: Path) -> Iterator[Path]:
        """A folder to fill, which becomes `folder` when the block ends without an error.

        Raises:
            StudioError: as `require`, or it cannot be written.
            RenderError: as `require`.
        """
        self.require(folder)
        folder = folder.absolute()
        try:
            if folder.parent.is_dir():
                remove_leftovers(folder.parent, folder.name)
            with build_folder(folder, replace=True) as beside:
                yield beside
                self.require(folder)
        except OSError as error:
            raise StudioError(f"{folder} cannot be written: {error.strerror or error}.") from error
