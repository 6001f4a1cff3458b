"""Write a picture whose rows come one after another, however large it is, whole or not at all.

Neither Pillow nor ffmpeg takes rows as they come. Those of a JPEG or a WebP go into a file beside
it, which Pillow then reads page by page; a PNG is written as its rows come.
"""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from renderers.errors import RenderError
from renderers.files import replacing

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
MAX_SIDES_PX = {"JPEG": 65_535, "PNG": 1 << 30, "WEBP": 16_383}  # What their headers can say.
MAX_PX = 1 << 30  # So many px of all formats, of which each takes four bytes beside the picture.
PNG_MARK = b"\x89PNG\r\n\x1a\n"
PNG_LEVEL = 6


@dataclass(frozen=True)
class PictureNotes:
    """What a picture says of itself, as bytes that readers of its format know; each may be empty.

    Args:
        exif: without the mark in front of it.
        xmp: a packet of XMP.
        icc: its colour profile.
    """

    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""


def require_picture_size(path: Path, width_px: int, height_px: int) -> None:
    """See that a file can hold a picture of such a size, before anything is computed.

    Raises:
        RenderError: an unknown suffix, or it cannot.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(FORMATS)
        raise RenderError(f"Cannot write a picture as '{path.name}': use {known}.")
    size = f"{path.name} would have {width_px:,} x {height_px:,} px"
    if max(width_px, height_px) > MAX_SIDES_PX[kind]:
        least = "Write a .png" if kind != "PNG" else "Take a smaller picture"
        raise RenderError(f"{size}, and a {kind} has at most {MAX_SIDES_PX[kind]:,}. {least}.")
    if width_px * height_px > MAX_PX:
        raise RenderError(f"{size}, more than {MAX_PX:,} in all. Take a smaller picture.")


def write_rows(
    bands: Iterable[np.ndarray],
    path: Path,
    width_px: int,
    height_px: int,
    quality: int,
    notes: PictureNotes,
) -> None:
    """Write a picture as its bands come.

    Args:
        bands: uint8 [rows, width_px, 3], from the top to the bottom.
        path: its suffix says the format; its folder is made, and it appears when it is whole.
        quality: of JPEG and WebP, 1..100; WebP of 100 is lossless.

    Raises:
        RenderError: it cannot be written, or is too large for its format.
    """
    require_picture_size(path, width_px, height_px)
    kind = FORMATS[path.suffix.lower()]
    with replacing(path) as temporary:
        if kind == "PNG":
            with temporary.open("wb") as file:
                _write_png(bands, file, width_px, height_px, notes)
            return
        with tempfile.TemporaryFile(dir=path.parent) as rows:
            picture = _gather(bands, rows, width_px, height_px)
            options: dict[str, Any] = {"quality": quality, "exif": notes.exif, "xmp": notes.xmp}
            options["icc_profile"] = notes.icc or None
            options |= {"subsampling": 0} if kind == "JPEG" else {"lossless": quality == 100}
            picture.save(temporary, format=kind, **options)


def _gather(
    bands: Iterable[np.ndarray], file: BinaryIO, width_px: int, height_px: int
) -> Image.Image:
    """Bands as one picture that lies in a file, with a byte beside each three, as Pillow has it."""
    file.truncate(width_px * height_px * 4)
    pixels = np.memmap(file, np.uint8, "r+", shape=(height_px, width_px, 4))
    first = 0
    for band in bands:
        pixels[first : first + len(band), :, :3] = band
        first += len(band)
    return Image.frombuffer("RGBX", (width_px, height_px), pixels, "raw", "RGBX", 0, 1)


def _write_png(
    bands: Iterable[np.ndarray], file: BinaryIO, width_px: int, height_px: int, notes: PictureNotes
) -> None:
    """PNG, third edition, of 8-bit RGB: each row is kept as the difference that is smaller."""
    file.write(PNG_MARK)
    _write_chunk(file, b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0))
    if notes.icc:
        _write_chunk(file, b"iCCP", b"profile\0\0" + zlib.compress(notes.icc))
    if notes.exif:
        _write_chunk(file, b"eXIf", notes.exif.removeprefix(b"Exif\0\0"))
    if notes.xmp:
        _write_chunk(file, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + notes.xmp)
    packer = zlib.compressobj(PNG_LEVEL)
    above = np.zeros((1, width_px, 3), np.uint8)
    for band in bands:
        packed = packer.compress(_filter_rows(np.concatenate([above, band])).tobytes())
        if packed:
            _write_chunk(file, b"IDAT", packed)
        above = band[-1:]
    _write_chunk(file, b"IDAT", packer.flush())
    _write_chunk(file, b"IEND", b"")


def _filter_rows(pixels: np.ndarray) -> np.ndarray:
    """Rows as PNG keeps them, behind a byte that says how: left (1) or above (2) taken away.

    Args:
        pixels: uint8 [1 + rows, width, 3]; the first row is the one above.

    Returns:
        uint8 [rows, 1 + 3 * width].
    """
    rows = pixels[1:]
    left = rows - np.pad(rows, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    above = rows - pixels[:-1]
    sizes = [np.abs(each.view(np.int8).astype(np.int16)).sum((1, 2)) for each in (left, above)]
    takes_left = (sizes[0] < sizes[1])[:, None]
    kept = np.where(takes_left, left.reshape(len(rows), -1), above.reshape(len(rows), -1))
    return np.concatenate([np.where(takes_left, 1, 2).astype(np.uint8), kept], axis=1)


def _write_chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind + content)
    file.write(struct.pack(">I", zlib.crc32(kind + content)))
