"""Arrange pictures in one: grids, and sheets with labels.

Pillow writes the labels and changes the sizes, since imageio can do neither.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from renderers.errors import RenderError

Colour = tuple[int, int, int]
INK: Colour = (17, 18, 20)
PAPER: Colour = (250, 249, 246)
# A sheet of this size takes 120 MB, and as much again while the file is written.
GAP_PX = 2  # Pixels between two pictures of a grid.
MAX_PIXELS = 40_000_000
# A JPEG can hold twice as much; viewers give up soon after.
MAX_SIDE_PX = 30_000


def grid_columns(count: int) -> int:
    """The number of columns of the squarest grid.

    Example:
        >>> grid_columns(9), grid_columns(6), grid_columns(2)
        (3, 3, 2)
    """
    return math.ceil(math.sqrt(count))


def arrange_grid(
    pictures: np.ndarray,
    columns: int | None = None,
    gap_px: int = GAP_PX,
    background: Colour = INK,
) -> np.ndarray:
    """Lay pictures out row by row, with gaps between them and none around.

    Args:
        pictures: uint8 [N, height, width, 3].
        columns: the squarest grid if None; never more than N.
        gap_px: pixels between two pictures.

    Returns:
        uint8 [grid height, grid width, 3]; cells without a picture show the background.
    """
    count, height, width, _ = pictures.shape
    columns = min(columns or grid_columns(count), count)
    rows = math.ceil(count / columns)
    size = (rows * (height + gap_px) - gap_px, columns * (width + gap_px) - gap_px, 3)
    grid = np.empty(size, np.uint8)
    grid[:] = background
    for i, picture in enumerate(pictures):
        y, x = i // columns * (height + gap_px), i % columns * (width + gap_px)
        grid[y : y + height, x : x + width] = picture
    return grid


def enlarge(pictures: np.ndarray, scale: int) -> np.ndarray:
    """Repeat every pixel `scale` times in both directions.

    Args:
        pictures: uint8 [..., height, width, 3].

    Returns:
        uint8 [..., height * scale, width * scale, 3].
    """
    return pictures if scale == 1 else pictures.repeat(scale, -3).repeat(scale, -2)


class Sheet:
    """A picture of pictures with labels, which fills row by row as they come.

    Only the sheet is in memory: pictures are put into it one by one.

    Args:
        rows, columns: how many pictures the sheet has down and across.
        height_px, width_px: the size of each picture.
        captions: a text beneath each picture; one that is wider is cut off.
        row_labels, column_labels: a text at the left of each row, and on top of each column.
        title, footer: a line above all, and one below.

    Attributes:
        picture: uint8 [sheet height, sheet width, 3], with a margin around.

    Raises:
        RenderError: the sheet would be too large to be looked at.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        height_px: int,
        width_px: int,
        *,
        captions: Sequence[str] = (),
        row_labels: Sequence[str] = (),
        column_labels: Sequence[str] = (),
        title: str = "",
        footer: str = "",
        background: Colour = PAPER,
    ) -> None:
        text_px = _text_size(width_px)
        line_px = _line_height(text_px)
        gap_px = text_px if captions else max(2, text_px // 3)
        side_px = max((_text_width(text, text_px) + text_px for text in row_labels), default=0)
        self._columns, self._cell = columns, (height_px, width_px)
        self._text_px, self._background = text_px, background
        self._pitch = height_px + bool(captions) * line_px + gap_px, width_px + gap_px
        self._left = text_px + side_px
        self._top = text_px + (bool(title) + bool(column_labels)) * line_px
        lowest = self._top + rows * self._pitch[0] - gap_px
        right = self._left + columns * self._pitch[1] - gap_px
        right = max(right, *(text_px + _text_width(text, text_px) for text in (title, footer)))
        bottom = lowest + bool(footer) * (text_px // 2 + line_px) + text_px
        _require_size(rows, columns, bottom, right + text_px)
        self.picture = np.full((bottom, right + text_px, 3), background, np.uint8)
        self._label(captions, row_labels, column_labels)
        self._write(title, text_px // 2, text_px)
        self._write(footer, lowest + text_px // 2, text_px)

    def _label(self, captions: Sequence[str], rows: Sequence[str], columns: Sequence[str]) -> None:
        (height, width), line_px = self._cell, _line_height(self._text_px)
        for i, text in enumerate(captions):
            y, x = self._place(i)
            self._write(text, y + height, x, width)
        for i, text in enumerate(columns):
            y, x = self._place(i)
            self._write(text, y - line_px, x, width)
        for i, text in enumerate(rows):
            y, x = self._place(i * self._columns)
            middle = y + max(0, height - line_px) // 2
            self._write(text, middle, self._text_px, x - 2 * self._text_px)

    def add(self, number: int, picture: np.ndarray) -> None:
        """Put a picture in its place.

        Args:
            number: its place, counted row by row from 0.
            picture: uint8 [height, width, 3]; one of another size than its place is enlarged by
                repeating pixels, or made smaller by averaging them.
        """
        height, width = self._cell
        y, x = self._place(number)
        image = Image.fromarray(picture)
        if image.size != (width, height):
            smaller = image.height > height
            method = Image.Resampling.BOX if smaller else Image.Resampling.NEAREST
            image = image.resize((width, height), method)
        self.picture[y : y + height, x : x + width] = np.asarray(image)

    def _place(self, number: int) -> tuple[int, int]:
        """Where the upper left corner of a picture is, as y and x."""
        row, column = divmod(number, self._columns)
        return self._top + row * self._pitch[0], self._left + column * self._pitch[1]

    def _write(self, text: str, y: int, x: int, width: int | None = None) -> None:
        """One line in the middle of a box, or from x on; what has no room is cut off."""
        if text:
            line = _text(
                text, width or _text_width(text, self._text_px), self._text_px, self._background
            )
            room = self.picture[y : y + len(line), x : x + line.shape[1]]
            room[:] = line[: len(room)]


def cross_sheet(
    pictures: np.ndarray,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    scale: int = 1,
    background: Colour = PAPER,
) -> np.ndarray:
    """Lay out the cross of two series, such as points x batches, with labels left and on top.

    Args:
        pictures: uint8 [rows, columns, height, width, 3].
        row_labels, column_labels: a text for each row and column.
        scale: each pixel is repeated so often in both directions.

    Returns:
        uint8 [sheet height, sheet width, 3], with a margin around.

    Raises:
        ValueError: the number of labels is not that of the rows and columns.
        RenderError: the sheet would be too large to be looked at.
    """
    rows, columns, height, width, _ = pictures.shape
    if (len(row_labels), len(column_labels)) != (rows, columns):
        given = f"{len(row_labels)} and {len(column_labels)}"
        raise ValueError(f"{given} labels for {rows} rows and {columns} columns")
    sheet = Sheet(
        rows,
        columns,
        height * scale,
        width * scale,
        row_labels=row_labels,
        column_labels=column_labels,
        background=background,
    )
    for number, picture in enumerate(pictures.reshape(-1, *pictures.shape[2:])):
        sheet.add(number, picture)
    return sheet.picture


def _require_size(rows: int, columns: int, height_px: int, width_px: int) -> None:
    if height_px * width_px > MAX_PIXELS or max(height_px, width_px) > MAX_SIDE_PX:
        raise RenderError(
            f"A sheet of {columns:,} x {rows:,} pictures would have {width_px:,} x {height_px:,} "
            f"pixels; the most are {MAX_PIXELS // 10**6} million, and {MAX_SIDE_PX:,} on a side. "
            "Ask for fewer pictures, or a smaller scale."
        )


def _text_size(width_px: int) -> int:
    return max(10, min(18, width_px // 8))


def _text_width(text: str, size: int) -> int:
    return math.ceil(ImageFont.load_default(size).getlength(text))


def _line_height(size: int) -> int:
    return round(size * 1.6)


def _text(text: str, width: int, size: int, background: Colour) -> np.ndarray:
    """One line in the middle of its box, uint8 [line height, width, 3], in a readable grey."""
    image = Image.new("RGB", (width, _line_height(size)), background)
    colour = (90, 90, 94) if sum(background) > 384 else (190, 190, 194)
    place = (width / 2, image.height / 2)
    ImageDraw.Draw(image).text(place, text, colour, ImageFont.load_default(size), anchor="mm")
    return np.asarray(image)
