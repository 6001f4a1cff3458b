"""Pictures -> one picture: grids, and sheets with labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
INK: Colour = (17, 18, 20)
PAPER: Colour = (250, 249, 246)


def grid_columns(count: int) -> int:
    """The columns of the squarest grid: 9 -> 3, 6 -> 3, 2 -> 2."""
    return math.ceil(math.sqrt(count))


def arrange_grid(
    pictures: np.ndarray,
    columns: int | None = None,
    gap_px: int = 2,
    background: Colour = INK,
) -> np.ndarray:
    """Lay pictures out row by row, with gaps between them and none around.

    Args:
        pictures: uint8 [N, height, width, 3].
        columns: the squarest grid if None; never more than N.

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
    """Repeat every pixel: uint8 [..., H, W, 3] -> uint8 [..., H * scale, W * scale, 3]."""
    return pictures if scale == 1 else pictures.repeat(scale, -3).repeat(scale, -2)


def contact_sheet(
    pictures: np.ndarray,
    labels: Sequence[str],
    columns: int | None = None,
    scale: int = 1,
    background: Colour = PAPER,
) -> np.ndarray:
    """Pictures with a small label beneath each; `columns=N` makes a strip.

    Args:
        pictures: uint8 [N, height, width, 3].
        labels: N texts; one that is wider than its picture is cut off.
        scale: whole factor by which pixels are enlarged.

    Returns:
        uint8 [sheet height, sheet width, 3], with a margin around.
    """
    if len(labels) != len(pictures):
        raise ValueError(f"{len(labels)} labels for {len(pictures)} pictures")
    pictures = enlarge(pictures, scale)
    text_px = _text_size(pictures.shape[2])
    captions = [_text(label, pictures.shape[2], text_px, background) for label in labels]
    cells = np.concatenate([pictures, np.stack(captions)], axis=1)
    return _framed(arrange_grid(cells, columns, text_px, background), text_px, background)


def cross_sheet(
    pictures: np.ndarray,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    scale: int = 1,
    background: Colour = PAPER,
) -> np.ndarray:
    """The cross of two series, such as points x batches, with labels at the left and on top.

    Args:
        pictures: uint8 [rows, columns, height, width, 3].
        row_labels, column_labels: a text for each row and column.

    Returns:
        uint8 [sheet height, sheet width, 3], with a margin around.
    """
    rows, columns, height, width, _ = pictures.shape
    if (len(row_labels), len(column_labels)) != (rows, columns):
        given = f"{len(row_labels)} and {len(column_labels)}"
        raise ValueError(f"{given} labels for {rows} rows and {columns} columns")
    height, width = height * scale, width * scale
    text_px = _text_size(width)
    gap_px = max(2, text_px // 3)
    cells = enlarge(pictures.reshape(-1, *pictures.shape[2:]), scale)
    body = arrange_grid(cells, columns, gap_px, background)
    heads = np.stack([_text(label, width, text_px, background) for label in column_labels])
    head = arrange_grid(heads, columns, gap_px, background)
    side_px = max(_text_width(label, text_px) for label in row_labels) + text_px
    sides = np.stack([_text(label, side_px, text_px, background) for label in row_labels])
    side = _spread(sides, height, gap_px, background)
    corner = np.full((head.shape[0], side_px, 3), background, np.uint8)
    sheet = np.block([[[corner], [head]], [[side], [body]]])
    return _framed(sheet, text_px, background)


def _text_size(width_px: int) -> int:
    return max(10, min(18, width_px // 8))


def _text_width(text: str, size: int) -> int:
    return math.ceil(ImageFont.load_default(size).getlength(text))


def _text(text: str, width: int, size: int, background: Colour) -> np.ndarray:
    """One line in the middle of its box, uint8 [1.6 size, width, 3], in a readable grey."""
    image = Image.new("RGB", (width, round(size * 1.6)), background)
    colour = (90, 90, 94) if sum(background) > 384 else (190, 190, 194)
    place = (width / 2, image.height / 2)
    ImageDraw.Draw(image).text(place, text, colour, ImageFont.load_default(size), anchor="mm")
    return np.asarray(image)


def _spread(lines: np.ndarray, height: int, gap_px: int, background: Colour) -> np.ndarray:
    """Lines of text [N, line height, width, 3], each in the middle of a row of that height."""
    above = max(0, height - lines.shape[1]) // 2
    below = max(0, height - lines.shape[1] - above)
    rows = np.empty((len(lines), above + lines.shape[1] + below, lines.shape[2], 3), np.uint8)
    rows[:] = background
    rows[:, above : above + lines.shape[1]] = lines
    return arrange_grid(rows[:, :height], 1, gap_px, background)


def _framed(sheet: np.ndarray, margin_px: int, background: Colour) -> np.ndarray:
    height, width, _ = sheet.shape
    framed = np.empty((height + 2 * margin_px, width + 2 * margin_px, 3), np.uint8)
    framed[:] = background
    framed[margin_px:-margin_px, margin_px:-margin_px] = sheet
    return framed
