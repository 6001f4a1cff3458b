"""What pictures say of themselves at their beginning and their end, without being decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from renderers.progress import OnProgress
from studio.datasets.picture import UnreadablePictureError, opening_picture

ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)  # Orientations in which width and height change places.
# Formats that say before their pixels how they have to be turned.
TURNING = ("JPEG", "TIFF", "WEBP")
# Whole files end so, if somebody did not add something: then what is before it is decoded to see.
ENDINGS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
ENDING_BYTES = 64


class PictureLook(NamedTuple):
    """What a file says of its picture.

    Attributes:
        size_px: width and height, upright.
        is_transparent: whether some of its px may be.
        mark: what changes where the file does: its size in bytes, and its time.
    """

    size_px: tuple[int, int]
    is_transparent: bool
    mark: str


def look_at_pictures(
    folder: Path, names: Sequence[str], on_progress: OnProgress
) -> Iterator[tuple[str, PictureLook | str]]:
    """What each of some pictures says of itself, or why it cannot be read."""
    for done, name in enumerate(names, start=1):
        try:
            yield name, look_at_picture(folder / name)
        except UnreadablePictureError as error:
            yield name, str(error)
        on_progress(done, len(names))


def look_at_picture(path: Path) -> PictureLook:
    """What a file says of its picture.

    Raises:
        UnreadablePictureError: it is none, is too large, or was cut off.
    """
    if not path.is_file():
        gone = "a link that leads nowhere" if path.is_symlink() else "no regular file"
        raise UnreadablePictureError(gone)
    mark = mark_of_file(path)
    with opening_picture(path, is_whole=False) as image:
        width, height = image.size
        if image.format in TURNING and image.getexif().get(ORIENTATION) in TURNED:
            width, height = height, width
        look = PictureLook((width, height), image.has_transparency_data, mark)
        is_whole = _has_ending(image)
    if not is_whole:
        _require_decodable(path)
    return look


def mark_of_file(path: Path) -> str:
    """What changes where a file does.

    Raises:
        UnreadablePictureError: it is gone.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise UnreadablePictureError(error.strerror or "it is gone") from error
    return f"{found.st_size} {found.st_mtime_ns}"


def _has_ending(image: Any) -> bool:
    """Whether the file of an open picture ends as one of its format does."""
    ending, file = ENDINGS.get(image.format), image.fp
    if ending is None:
        return True
    size = file.seek(0, 2)
    file.seek(max(0, size - ENDING_BYTES))
    return ending in file.read()


def _require_decodable(path: Path) -> None:
    with opening_picture(path) as image:
        image.load()
