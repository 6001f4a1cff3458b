"""The family of the studio's errors, and the families whose texts a person may read."""

from __future__ import annotations

from pathlib import Path

from checkpoints_index.errors import CheckpointError
from latent.errors import LatentError
from renderers.errors import RenderError


class StudioError(Exception):
    """Something a person can put right: what happened, what was expected, what to do next.

    The command line prints its text on one line; the screens show the same words.
    """


class UnknownDatasetError(StudioError):
    """There is no dataset of that name."""


class ReadOnlyWorkspaceError(StudioError):
    """A workspace that cannot be written to was asked for what is kept in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        super().__init__(
            f"The workspace {root} cannot be written to, and jobs are recorded and films kept in "
            "it. Where there is --out, name a place elsewhere, and leave out --detach. Or make a "
            "folder with a copy of studio.db and links to `runs` and `datasets`, and name it: "
            "--workspace FOLDER"
        )

    def __reduce__(self) -> tuple[type[ReadOnlyWorkspaceError], tuple[Path]]:
        return type(self), (self.root,)


class EditedFileError(StudioError):
    """A file that can be read, but is not what the studio wrote: somebody edited it, or the disk.

    Args:
        path: the file.
        mark: what a person takes out of the file to have it believed as it is.

    Attributes:
        reason: the same, as half a sentence.
    """

    def __init__(self, path: Path, mark: str) -> None:
        self.reason = "it was edited or damaged since the studio wrote it"
        super().__init__(
            f"{path} was edited or damaged since the studio wrote it. Where you edited it "
            f"yourself, delete {mark}, and it is believed as it is. Where you did not, put back a "
            "copy, or look at each line."
        )


# The texts of these errors are for a person to read. Any other error is a fault of the studio.
EXPECTED_ERRORS = (StudioError, CheckpointError, LatentError, RenderError)
