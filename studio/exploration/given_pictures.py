"""Pictures that somebody gave a page: kept in the workspace for the jobs that look for them.

An upload is deleted within hours, and a job may wait longer. What is kept is not the file but what
was read of it: its pixels in the size that is looked for, and its passport if it has one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from renderers.pictures.picture_file import save_picture
from studio.datasets.fits import Fit
from studio.datasets.picture import UnreadablePictureError, read_picture
from studio.specimens.passports import Passport, read_passport, save_specimen
from studio.workspace.errors import StudioError
from studio.workspace.names import shorten
from studio.workspace.paths import Workspace

MAX_KEPT = 500  # Pictures; of more, those go that were given longest ago.


def read_given(path: Path, image_size: int, fit: Fit = "crop") -> np.ndarray:
    """Read a picture that somebody gave: uint8 [image_size, image_size, 3].

    Raises:
        StudioError: it cannot be read as a picture, or is too large.
    """
    try:
        return read_picture(path, image_size, fit)
    except UnreadablePictureError as error:
        raise StudioError(f"{shorten(path.name)} cannot be read as a picture: {error}.") from error


def keep_given(workspace: Workspace, path: Path, image_size: int, fit: Fit = "crop") -> Path:
    """Keep a picture that somebody gave; the same one has the same place.

    Args:
        image_size: width and height that it is kept in, in pixels.

    Returns:
        A PNG in the workspace.

    Raises:
        StudioError: as `read_given`.
        RenderError: it cannot be written.
    """
    picture, passport = read_given(path, image_size, fit), find_passport(path)
    content = picture.tobytes() + (passport.z.numpy().tobytes() if passport is not None else b"")
    mark = hashlib.sha256(content).hexdigest()[:16]
    place = workspace.given_pictures / f"{mark}.png"
    if place.exists():
        place.touch()  # It is as new as one that is given for the first time.
    elif passport is not None:
        save_specimen(picture, place, passport, passport.licence)
    else:
        save_picture(picture, place)
    _forget_oldest(workspace.given_pictures)
    return place


def find_passport(path: Path) -> Passport | None:
    """The passport of a picture; None where it has none that can be believed."""
    try:
        return read_passport(path)
    except StudioError:
        return None


def _forget_oldest(folder: Path) -> None:
    kept = sorted(folder.glob("*.png"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[MAX_KEPT:]:
        path.unlink(missing_ok=True)
