"""Draw a table of numbers as a picture: darker for larger, with pictures in some of its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from renderers.pictures.sheets import INK, PAPER, Sheet

WIDTH_PX, HEIGHT_PX = 96, 44
TEXT_PX = 17
DARK = np.array([176, 84, 46])  # The colour of the largest number; the smallest is the paper.


def draw_table(
    values: np.ndarray,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    *,
    written: str = "{:.2f}",
    pictures: Mapping[tuple[int, int], np.ndarray] | None = None,
    title: str = "",
    footer: str = "",
) -> np.ndarray:
    """Draw numbers in cells whose colour says how large they are.

    Args:
        values: float [rows, columns]; NaN for an empty cell.
        row_labels, column_labels: a text for each row and column.
        written: how a number is written.
        pictures: (row, column) -> uint8 [H, W, 3], which stands there instead; cells are square
            then.
        title, footer: a line above all, and one below.

    Returns:
        uint8 [height, width, 3].

    Raises:
        RenderError: the table would be too large to be looked at.
    """
    rows, columns = values.shape
    pictures = pictures or {}
    height = WIDTH_PX if pictures else HEIGHT_PX
    sheet = Sheet(
        *(rows, columns, height, WIDTH_PX),
        row_labels=row_labels,
        column_labels=column_labels,
        title=title,
        footer=footer,
    )
    shown = np.isfinite(values)
    for place in pictures:
        shown[place] = False
    low, high = (values[shown].min(), values[shown].max()) if shown.any() else (0.0, 1.0)
    for row, column in np.ndindex(values.shape):
        cell = pictures.get((row, column))
        if cell is None and shown[row, column]:
            value = float(values[row, column])
            cell = _draw_cell(written.format(value), (value - low) / ((high - low) or 1), height)
        if cell is not None:
            sheet.add(row * columns + column, cell)
    return sheet.picture


def _draw_cell(text: str, share: float, height_px: int) -> np.ndarray:
    """A number on its colour, uint8 [height_px, WIDTH_PX, 3]."""
    ground = np.array(PAPER) + (DARK - PAPER) * (0.08 + 0.84 * share)
    image = Image.new("RGB", (WIDTH_PX, height_px), tuple(int(c) for c in ground))
    colour = PAPER if share > 0.55 else INK
    font = ImageFont.load_default(TEXT_PX)
    ImageDraw.Draw(image).text((WIDTH_PX / 2, height_px / 2), text, colour, font, anchor="mm")
    return np.asarray(image)
