"""The pictures of a result, small enough to be sent to a program that asked for it."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from renderers.errors import RenderError
from renderers.video.formats import FORMATS as FILM_FORMATS
from renderers.video.video_reader import read_late_picture
from studio.actions.action import Result
from studio.actions.permissions import Permissions
from studio.datasets.picture import MAX_PICTURE_PX
from studio.workspace.errors import StudioError

MAX_PICTURES = 12  # Of one result; the document names the files of all.
MAX_SIDE_PX, LOSSLESS_PX = 1024, 384
POSTER_PX = 512
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}

FILM_SUFFIXES = {each.suffix for each in FILM_FORMATS} - FORMATS.keys()

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Picture:
    """A picture as it is sent.

    Attributes:
        name: that of the file which it shows.
        kind: such as `image/png`.
    """

    name: str
    kind: str
    content: bytes


def pictures_of(result: Result, permissions: Permissions) -> list[Picture]:
    """The pictures that a result names, and a late frame of each film.

    What lies where the program may not read, is gone, or cannot be read, is left out.
    """
    found: list[Picture] = []
    for path in dict.fromkeys(result.named_files()):
        if len(found) < MAX_PICTURES:
            found += _read(path, permissions)
    return found


def _read(path: Path, permissions: Permissions) -> Iterator[Picture]:
    suffix = path.suffix.lower()
    try:
        file = permissions.inside(path)
        if suffix in FORMATS and file.is_file():
            yield _read_picture(file, FORMATS[suffix])
        elif suffix in FILM_SUFFIXES and file.is_file():
            yield Picture(path.name, "image/jpeg", read_late_picture(file, POSTER_PX))
    except (StudioError, RenderError) as error:
        log.info("%s is not shown: %s", path, error)
    except Exception as error:  # Decoders raise errors of many kinds for damaged bytes.
        log.info("%s is not shown: %r", path, error)


def _read_picture(file: Path, kind: str) -> Picture:
    """A picture made smaller until neither side is longer than MAX_SIDE_PX."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Large pictures are refused here.
        with Image.open(file, formats=(kind,)) as image:
            if image.width * image.height > MAX_PICTURE_PX:
                raise StudioError(f"it has {image.width:,} x {image.height:,} pixels")
            shown = image.convert("RGB")
    shown.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.LANCZOS)
    lossless = max(shown.size) <= LOSSLESS_PX
    written = io.BytesIO()
    shown.save(written, "PNG" if lossless else "JPEG", **({} if lossless else {"quality": 90}))
    return Picture(file.name, "image/png" if lossless else "image/jpeg", written.getvalue())
