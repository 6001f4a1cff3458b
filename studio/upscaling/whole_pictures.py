"""Read pictures in their own size, with what they say of themselves, to be made larger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from renderers.upscaling.picture_rows import PictureNotes
from studio.datasets.picture import UnreadablePictureError, convert_to_rgb, opening_picture
from studio.specimens.passports import has_passport, read_passport, write_passport
from studio.specimens.picture_metadata import PNG_XMP
from studio.workspace.errors import StudioError

ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)  # Orientations in which width and height change places.
RGB_MODES = ("RGB", "RGBA", "P")  # Colour profiles of others are not for RGB.
MAX_JPEG_BYTES = 65_000  # A segment of a JPEG holds 65,533.


@dataclass(frozen=True, eq=False)
class WholePicture:
    """A picture that was read.

    Attributes:
        pixels: uint8 [h, w, 3], upright.
        notes: what it says of itself.
        remarks: half sentences on what is not as it was.
    """

    pixels: np.ndarray
    notes: PictureNotes
    remarks: tuple[str, ...] = ()


def measure_picture(path: Path) -> tuple[int, int]:
    """Width and height of a picture, upright, without decoding it.

    Raises:
        StudioError: it cannot be read; the text says why.
    """
    try:
        with opening_picture(path, is_whole=False) as image:
            turned = image.format == "JPEG" and image.getexif().get(ORIENTATION) in TURNED
            return (image.height, image.width) if turned else (image.width, image.height)
    except UnreadablePictureError as error:
        raise StudioError(f"{path.name} cannot be read: {error}.") from error


def read_whole(path: Path, suffix: str, made_by: str) -> WholePicture:
    """Read a picture in its own size, turned upright, transparent px over white.

    Args:
        suffix: of the file that it is to become, which may have less room for what it says.
        made_by: RUN@BATCH that makes it larger, which its passport tells, if it has one.

    Raises:
        StudioError: it cannot be read; the text says why.
    """
    try:
        with opening_picture(path) as image:
            remarks = ["it was transparent, and is on white"] * image.has_transparency_data
            pixels = np.asarray(convert_to_rgb(ImageOps.exif_transpose(image)))
            notes = _read_notes(image)
    except UnreadablePictureError as error:
        raise StudioError(f"{path.name} cannot be read: {error}.") from error
    if has_passport(path):
        notes = _renew_passport(path, notes, made_by, remarks)
    is_long = max(len(notes.exif), len(notes.xmp)) > MAX_JPEG_BYTES
    if is_long and suffix.lower() in (".jpg", ".jpeg"):
        remarks.append("a JPEG has no room for what it said of itself")
        notes = PictureNotes(icc=notes.icc)
    return WholePicture(pixels, notes, tuple(remarks))


def _read_notes(image: Image.Image) -> PictureNotes:
    """What a picture says of itself, but for how it has to be turned, which is done."""
    xmp = image.info.get("xmp") or image.info.get(PNG_XMP) or b""
    exif = image.getexif()
    exif.pop(ORIENTATION, None)
    return PictureNotes(
        exif.tobytes() if len(exif) else b"",
        xmp.encode() if isinstance(xmp, str) else xmp,
        (image.info.get("icc_profile") or b"") if image.mode in RGB_MODES else b"",
    )


def _renew_passport(
    path: Path, notes: PictureNotes, made_by: str, remarks: list[str]
) -> PictureNotes:
    """The passport with the word that its px are not those of the frame any more."""
    try:
        passport = read_passport(path)
    except StudioError:
        remarks.append("its passport could not be read, and stays as it was")
        return notes
    told = {**passport.options, "upscaled": made_by}
    exif, xmp = write_passport(replace(passport, options=told))
    return PictureNotes(exif, xmp, notes.icc)
