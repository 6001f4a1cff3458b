"""The 52 letters of one font as distance fields; a font is the input of a stranger.

The box, its padding and the scale of the distances are those of Murphy (SIGBOVIK 2021): 36 px, the
baseline 9 px above the bottom, the origin 9 px right of the left, the ascent 2 px below the top.
"""

from __future__ import annotations

import io
import string
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial import cKDTree

from checkpoints_index.generators.letters.fields import EDGE, FALLOFF, FIELD_PX

LOWER, UPPER = string.ascii_lowercase, string.ascii_uppercase
LETTERS = LOWER + UPPER
BOX_PX, TOP_PX, BOTTOM_PX, LEFT_PX = FIELD_PX, 2, 9, 9
ASCENT_PX = BOX_PX - TOP_PX - BOTTOM_PX
SCALE = 16  # Letters are drawn so many times as large as they are kept.
MAX_FONT_BYTES = 32 << 20
MAX_TABLES, MAX_ENCODINGS = 128, 64
SFNT = (b"\x00\x01\x00\x00", b"true", b"OTTO")
COLLECTION = b"ttcf"
PICTORIAL = 5  # The family type of PANOSE that is for symbols.
NOT_A_CHARACTER = "\uffff"  # What a font draws for it, it draws for every character that it lacks.
PROBE_SIZE = 400  # The size at which a font is asked for its ascent.
MIN_ASCENT, MAX_ASCENT = 0.4, 2.5  # Of the size; what is beyond is no ascent.


class UnusableFontError(Exception):
    """A font is left out; the text of the error is the reason, one of a few."""


def read_letters(path: Path) -> np.ndarray:
    """Draw the letters of a TrueType or OpenType font; of a collection, those of its first font.

    Returns:
        bool [52, 36 * SCALE, 36 * SCALE], a to z and then A to Z: whether a point is inside.

    Raises:
        UnusableFontError: it is no font, too large, damaged, of symbols, lacks a letter, or has one
            that leaves the box.
    """
    content = _read_bounded(path)
    _refuse_symbols(content)
    try:
        font = _open_at_ascent(content)
        return _draw_letters(font)
    except (OSError, ValueError, MemoryError, OverflowError) as error:
        raise UnusableFontError("damaged") from error


def measure_field(inside: np.ndarray) -> np.ndarray:
    """The distance field of one drawn letter.

    It is EDGE on the edge and rises by FALLOFF a pixel into the letter, in 0..1. A distance is the
    one of `scipy.ndimage.distance_transform_edt`, inside minus outside; only the 1,296 points that
    are kept are searched for, since the transform of all of them takes ten times as long.

    Args:
        inside: bool [36 * SCALE, 36 * SCALE].

    Returns:
        uint8 [36, 36], 255 for 1.
    """
    rows = np.arange(BOX_PX) * SCALE + SCALE // 2
    points = np.stack(np.meshgrid(rows, rows, indexing="ij"), -1).reshape(-1, 2)
    is_inside = inside[points[:, 0], points[:, 1]]
    padded = np.pad(inside, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    around = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    distances_px = np.empty(len(points))
    # The nearest point of the other side always lies beside the edge.
    for own, border, sign in (
        (~is_inside, inside & ~surrounded, -1),
        (is_inside, ~inside & around, 1),
    ):
        if own.any():
            nearest, _ = cKDTree(np.argwhere(border)).query(points[own])
            distances_px[own] = sign * nearest / SCALE
    field = np.clip(EDGE + FALLOFF * distances_px, 0, 1)
    return np.rint(255 * field).astype(np.uint8).reshape(BOX_PX, BOX_PX)


def _read_bounded(path: Path) -> bytes:
    """The bytes of a font; raises UnusableFontError where they are none, or too many."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FONT_BYTES + 1)
    except OSError as error:
        raise UnusableFontError("cannot be read") from error
    if len(content) > MAX_FONT_BYTES:
        raise UnusableFontError(f"larger than {MAX_FONT_BYTES >> 20} MB")
    if content[:4] not in (*SFNT, COLLECTION):
        raise UnusableFontError("no TrueType or OpenType font")
    return content


def _refuse_symbols(content: bytes) -> None:
    """Refuse a font of symbols: its tables say so, or letters are not what it is indexed by."""
    try:
        start = struct.unpack_from(">I", content, 12)[0] if content[:4] == COLLECTION else 0
        tables = _find_tables(content, start)
        panose = tables.get(b"OS/2", len(content)) + 32
        if content[panose : panose + 1] == bytes([PICTORIAL]):
            raise UnusableFontError("a font of symbols")
        encodings = _find_encodings(content, tables[b"cmap"])
    except (struct.error, KeyError) as error:
        raise UnusableFontError("damaged") from error
    if (3, 0) in encodings and not any(p == 0 or (p, e) in ((3, 1), (3, 10)) for p, e in encodings):
        raise UnusableFontError("a font of symbols")


def _find_tables(content: bytes, start: int) -> dict[bytes, int]:
    """The places of a font's tables by their tags."""
    count = min(struct.unpack_from(">H", content, start + 4)[0], MAX_TABLES)
    records = (struct.unpack_from(">4sIII", content, start + 12 + 16 * n) for n in range(count))
    return {tag: offset for tag, _, offset, _ in records}


def _find_encodings(content: bytes, cmap: int) -> list[tuple[int, int]]:
    """Platform and encoding of each table that maps characters to glyphs."""
    count = min(struct.unpack_from(">H", content, cmap + 2)[0], MAX_ENCODINGS)
    return [struct.unpack_from(">HH", content, cmap + 4 + 8 * n) for n in range(count)]


def _open_at_ascent(content: bytes) -> ImageFont.FreeTypeFont:
    """The font at the size at which its ascent is that of the box, SCALE times as large."""
    layout = ImageFont.Layout.BASIC
    probe = ImageFont.truetype(io.BytesIO(content), PROBE_SIZE, layout_engine=layout)
    ascent = probe.getmetrics()[0] / PROBE_SIZE
    if not MIN_ASCENT <= ascent <= MAX_ASCENT:
        raise UnusableFontError("its line has no usable height")
    size = SCALE * ASCENT_PX / ascent
    return ImageFont.truetype(io.BytesIO(content), size, layout_engine=layout)


def _draw_letters(font: ImageFont.FreeTypeFont) -> np.ndarray:
    """All letters: bool [52, 36 * SCALE, 36 * SCALE]; sizes are known before a pixel is drawn."""
    for letter in LETTERS:
        left, top, right, bottom = font.getbbox(letter, mode="1", anchor="ls")
        if right <= left or bottom <= top:
            raise UnusableFontError("lacks a letter")
        if left < -LEFT_PX * SCALE or right > (BOX_PX - LEFT_PX) * SCALE:
            raise UnusableFontError("a letter leaves the box")
        if top < (BOTTOM_PX - BOX_PX) * SCALE or bottom > BOTTOM_PX * SCALE:
            raise UnusableFontError("a letter leaves the box")
    drawn = np.stack([_draw(font, letter) for letter in LETTERS])
    if not drawn.any((1, 2)).all():
        raise UnusableFontError("lacks a letter")
    box = font.getbbox(NOT_A_CHARACTER, mode="1", anchor="ls")
    if max(map(abs, box)) < 2 * BOX_PX * SCALE:
        missing = _draw(font, NOT_A_CHARACTER)
        if any((letter == missing).all() for letter in drawn):
            raise UnusableFontError("lacks a letter")
    return drawn


def _draw(font: ImageFont.FreeTypeFont, letter: str) -> np.ndarray:
    """One letter in its box: bool [36 * SCALE, 36 * SCALE]."""
    image = Image.new("1", (BOX_PX * SCALE, BOX_PX * SCALE))
    origin = (LEFT_PX * SCALE, (BOX_PX - BOTTOM_PX) * SCALE)
    ImageDraw.Draw(image).text(origin, letter, fill=1, font=font, anchor="ls")
    return np.asarray(image)
