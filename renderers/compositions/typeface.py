"""Texts of a composed frame: one typeface, never cut off."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from renderers.pictures.overlay_masks import Font
from renderers.pictures.sheets import INK, Colour

BRIGHT: Colour = (238, 238, 240)
QUIET: Colour = (158, 158, 164)
FAINT: Colour = (58, 60, 64)
MISSING = "\ue000"  # No typeface has this letter.


@lru_cache(maxsize=64)
def typeface(size_px: int) -> Font:
    """The one typeface, in a size."""
    return ImageFont.load_default(size_px)


@lru_cache(maxsize=1024)
def in_letters(text: str) -> str:
    """A text in letters that the typeface has: without accents, or a question mark.

    Example:
        >>> in_letters("Zürich – 1,000")
        'Zurich - 1,000'
    """
    font = typeface(16)
    unknown = bytes(font.getmask(MISSING))
    plain = unicodedata.normalize("NFKD", text.replace("–", "-").replace("—", "-"))
    known = []
    for letter in plain:
        if letter.isspace():
            known.append(" ")
        elif not unicodedata.combining(letter) and letter.isprintable():
            known.append("?" if bytes(font.getmask(letter)) == unknown else letter)
    return "".join(known)


def text_width(text: str, size_px: int) -> int:
    """The width of a text in pixels."""
    return int(np.ceil(typeface(size_px).getlength(in_letters(text))))


def fitting_size(text: str, width_px: int, size_px: int, least_px: int) -> int | None:
    """The largest size in which a text has room; None where even the least one is too large."""
    sizes = range(size_px, least_px - 1, -1)
    return next((size for size in sizes if text_width(text, size) <= width_px), None)


def wrap_text(text: str, width_px: int, size_px: int) -> list[str]:
    """Lines of a text that are no wider than that, as far as its words allow."""
    lines: list[str] = []
    for word in in_letters(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size_px) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def write(
    target: np.ndarray,
    text: str,
    place: tuple[float, float],
    size_px: int,
    colour: Colour = QUIET,
    anchor: str = "ls",
) -> None:
    """Write one line into a picture, in place.

    Args:
        target: uint8 [height, width, 3].
        place: x, y of the anchor.
        anchor: as Pillow has it: l, m or r for the left end, the middle or the right one, then s
            for the baseline.
    """
    image = Image.fromarray(target)
    ImageDraw.Draw(image).text(place, in_letters(text), colour, typeface(size_px), anchor)
    target[:] = np.asarray(image)


def blank(width_px: int, height_px: int) -> np.ndarray:
    """An empty ground, uint8 [height_px, width_px, 3]."""
    ground = np.empty((height_px, width_px, 3), np.uint8)
    ground[:] = INK
    return ground


class NumberLine:
    """Numbers with commas, whose digits are all equally wide and keep their places.

    Args:
        size_px: of the typeface.
        largest: the largest number, which gives all their room.

    Attributes:
        width, height: of every picture.
    """

    def __init__(self, size_px: int, largest: int, colour: Colour = BRIGHT) -> None:
        font = typeface(size_px)
        cell = max(int(np.ceil(font.getlength(digit))) for digit in "0123456789")
        comma = int(np.ceil(font.getlength(",")))
        self.ascent = round(size_px * 0.78)
        self.height = round(size_px * 1.02)
        self._glyphs = {}
        for letter in "0123456789,":
            glyph = blank(comma if letter == "," else cell, self.height)
            place = (glyph.shape[1] / 2, self.ascent)
            write(glyph, letter, place, size_px, colour, "ms")
            self._glyphs[letter] = glyph
        self.width = sum(self._glyphs[letter].shape[1] for letter in f"{largest:,}")

    def draw(self, number: int) -> np.ndarray:
        """The picture of a number, uint8 [height, at most width, 3]."""
        return np.hstack([self._glyphs[letter] for letter in f"{max(0, number):,}"])
