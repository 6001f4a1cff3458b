"""Opacity masks of the elements of an overlay: digits, a curve, and lines of text.

A mask is float32 [height, width], 0..1. Pillow draws them, since imageio cannot.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SOFT = 0.8  # Opacity of the names, and of the part of the curve that was played.
FAINT = 0.35  # Opacity of the part of the curve that will be played.
SUPERSAMPLING = 4  # Lines and corners are drawn this many times as large, then averaged.
NOTICE_SIZE = 0.85  # Size of the text of events, as a share of the number's.
MIN_TEXT_PX = 7
MIN_LETTERS = 3  # A text of which fewer letters fit is left out.
# The curve is cut off at these percentiles, or one spike would flatten all the rest.
SPIKES = (1, 99)


class DigitsMask:
    """Numbers, right-aligned, whose digits are all equally wide.

    Args:
        size: the height of the font, in pixels.
        count: how many digits there is room for; 0 for no numbers.
    """

    def __init__(self, size: int, count: int) -> None:
        font = ImageFont.load_default(size)
        cell = max(round(font.getlength(digit)) for digit in "0123456789")
        _, top, _, bottom = font.getbbox("0123456789")
        self._glyphs = [_glyph(digit, font, cell, round(top), round(bottom)) for digit in range(10)]
        self._blank = np.zeros_like(self._glyphs[0])
        self._count = count
        self.height, self.width = round(bottom - top), cell * count

    def draw(self, number: int) -> np.ndarray:
        """The mask of a number, float32 [height, width]."""
        digits = str(number)[-self._count :]
        glyphs = [self._glyphs[int(digit)] for digit in digits]
        return np.hstack([self._blank] * (self._count - len(digits)) + glyphs)


class CurveMask:
    """A curve over all frames, with a mark for each event and a cursor at the present frame.

    Args:
        values: one for each frame; NaN where there is none.
        marks: frames of the events.
    """

    def __init__(
        self, values: Sequence[float], width: int, height: int, marks: Sequence[int]
    ) -> None:
        self.height = height
        self._frames = len(values)
        self._line = _draw_line(np.array(values, np.float32), width, height)
        self._thin = max(1, height // 20)
        for x in map(self._column_of, marks):
            self._line[-height // 4 :, x : x + self._thin] = 1

    def draw(self, position: int) -> np.ndarray:
        """The mask at a frame, float32 [height, width]."""
        x = self._column_of(position)
        drawn = FAINT * self._line
        drawn[:, :x] = SOFT * self._line[:, :x]
        drawn[:, x : x + self._thin] = np.maximum(SOFT, self._line[:, x : x + self._thin])
        return drawn

    def _column_of(self, position: int) -> int:
        """The column of a frame."""
        last = int(self._line.shape[1]) - self._thin
        return round(last * min(1, position / max(1, self._frames - 1)))


class NoticeMask(NamedTuple):
    """The masks of a text, whose upper left corner is y, x, and of the box behind it."""

    text: np.ndarray
    corner: tuple[int, int]
    box: np.ndarray


class NoticeMasks:
    """The texts of events, each shown for some frames.

    Args:
        notices: (first frame, text), by ascending frames.
        frames: for how many frames a text is shown.
        size: the height of the number's font, in pixels.
        inset: pixels between a text and the edge of its box.
        room: the most pixels of a text's width.

    Attributes:
        height, width: the room that they take in pixels, even; 0 where there are none.
    """

    def __init__(
        self, notices: Sequence[tuple[int, str]], frames: int, size: int, inset: int, room: int
    ) -> None:
        self._notices, self._frames = notices, frames
        self._size = max(MIN_TEXT_PX, round(NOTICE_SIZE * size))
        self._inset, self._room = inset, room
        self._drawn: tuple[str, NoticeMask] | None = None
        shapes = [self._draw(text).box.shape for text in {text for _, text in notices}]
        gap = 2 * (inset // 3 + 1)
        self.height = shapes[0][0] + gap if shapes else 0
        self.width = max((columns for _, columns in shapes), default=0)

    def at(self, position: int) -> NoticeMask | None:
        """What is shown at a frame; None for nothing."""
        number = bisect_right(self._notices, position, key=lambda notice: notice[0]) - 1
        if number < 0 or position - self._notices[number][0] >= self._frames:
            return None
        text = self._notices[number][1]
        if self._drawn is None or self._drawn[0] != text:
            self._drawn = text, self._draw(text)
        return self._drawn[1]

    def _draw(self, text: str) -> NoticeMask:
        mask = draw_text(text, self._size, self._room)
        height = round(self._size * 0.75) + 2 * (self._inset // 2 + 1)
        box = draw_rounded_box(mask.shape[1] + 2 * self._inset, height, self._inset)
        return NoticeMask(mask, (self._inset // 2 + 1, self._inset), box)


def draw_text(text: str, size: int, room: int) -> np.ndarray:
    """One line of text.

    Args:
        size: the height of the font, in pixels.
        room: the most pixels of its width; a longer text is cut off and ends in `…`.

    Returns:
        float32 [height, width]; empty where hardly any letter fits.
    """
    font = ImageFont.load_default(size)
    fitting = _cut(text, font, room)
    _, top, _, bottom = font.getbbox("0123456789")
    if not fitting:
        return np.zeros((0, 0), np.float32)
    image = Image.new("L", (round(font.getlength(fitting)), round(bottom * 1.3 - top)))
    ImageDraw.Draw(image).text((0, -top), fitting, 255, font)
    return SOFT * np.asarray(image, np.float32) / 255


def draw_rounded_box(width: int, height: int, inset: int) -> np.ndarray:
    """A box with smooth round corners.

    Args:
        width, height: in pixels, rounded up to even numbers.
        inset: pixels between the text and the edge of the box, from which the radius follows.

    Returns:
        float32 [height, width], 0..1.
    """
    radius = max(2, 2 * inset // 3)
    width, height = width + width % 2, height + height % 2
    large = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    edges = (0, 0, large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(edges, radius * SUPERSAMPLING, 255)
    return _shrunk(large)


def stamp(target: np.ndarray, mask: np.ndarray, corner: tuple[int, int]) -> None:
    """Put a mask into a larger one, in place; what reaches over the edges is cut off.

    Args:
        target, mask: float32 [height, width], 0..1.
        corner: y, x of the mask's upper left corner in the target.
    """
    spot = target[corner[0] : corner[0] + mask.shape[0], corner[1] : corner[1] + mask.shape[1]]
    np.maximum(spot, mask[: spot.shape[0], : spot.shape[1]], out=spot)


def _draw_line(values: np.ndarray, width: int, height: int) -> np.ndarray:
    """A line through values, from the left to the right edge."""
    image = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    weight = max(1.25, height / 20) * SUPERSAMPLING
    groups = np.array_split(np.ma.masked_invalid(values), min(len(values), width // 2))
    means = np.ma.stack([group.mean() for group in groups])
    if means.count():
        low, high = np.percentile(means.compressed(), SPIKES)
        depth = np.ma.clip((high - means) / max(high - low, 1e-12), 0, 1)
        x = np.linspace(weight, image.width - weight, len(means))
        y = weight + depth * (image.height - 2 * weight)
        spans_of: Any = np.ma.clump_unmasked  # The function has no types.
        for span in spans_of(y):
            points = list(zip(x[span].tolist(), y[span].tolist(), strict=True))
            ImageDraw.Draw(image).line(points, 255, round(weight), joint="curve")
    return _shrunk(image)


def _cut(text: str, font: Font, room: int) -> str:
    """The text, or as many of its first letters as fit; none if hardly any do."""
    if font.getlength(text) <= room:
        return text
    too_long = bisect_left(
        range(len(text)), True, key=lambda kept: font.getlength(text[:kept] + "…") > room
    )
    return text[: too_long - 1].rstrip() + "…" if too_long > MIN_LETTERS else ""


def _glyph(digit: int, font: Font, cell: int, top: int, bottom: int) -> np.ndarray:
    image = Image.new("L", (cell, bottom - top))
    ImageDraw.Draw(image).text((cell / 2, -top), str(digit), 255, font, anchor="ma")
    return _opacity(image)


def _shrunk(image: Image.Image) -> np.ndarray:
    size = image.width // SUPERSAMPLING, image.height // SUPERSAMPLING
    return _opacity(image.resize(size, Image.Resampling.BOX))


def _opacity(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32) / 255
