"""Draws letters from their distance fields, and the five of which a picture tells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from checkpoints_index.generators.letters.fields import EDGE, FALLOFF, FIELD_PX

COLUMNS, ROWS = 3, 2
UNIT_PX = COLUMNS * ROWS * FIELD_PX  # Pictures are a multiple of this wide.
PAPER = (0.98, 0.97, 0.95)
INK, LOWER_INK, UPPER_INK = (0.13, 0.13, 0.15), (0.09, 0.30, 0.55), (0.66, 0.17, 0.13)
# The inks of the cells of a picture, a row after another: the letter, what the network that makes
# lower-case letters made of it, what the other one made of that; and the same the other way round.
CELL_INKS = (INK, LOWER_INK, UPPER_INK, INK, UPPER_INK, LOWER_INK)
STRIP = (0, 1, 2, 4, 5)  # The cells of a strip: the letter stands in a picture twice.


def draw_picture(fields: Sequence[Tensor], image_size: int) -> Tensor:
    """A square picture of six letters in three columns and two rows, each with its field below.

    Args:
        fields: six, float [N, 36 * 36] in 0..1, in the order of `CELL_INKS`.
        image_size: S, a multiple of UNIT_PX.

    Returns:
        float [N, 3, S, S] in -1..1.
    """
    cells = [draw_cell(f, ink, image_size) for f, ink in zip(fields, CELL_INKS, strict=True)]
    rows = [torch.cat(cells[first : first + COLUMNS], 3) for first in (0, COLUMNS)]
    return torch.cat(rows, 2)


def draw_cell(field: Tensor, ink: Sequence[float], image_size: int) -> Tensor:
    """A letter, and its distance field half as large below it.

    Returns:
        float [N, 3, S / 2, S / 3] in -1..1.
    """
    letter_px, field_px = image_size // COLUMNS, image_size // COLUMNS // ROWS
    square = field.view(-1, 1, FIELD_PX, FIELD_PX)
    letter = draw_letter(square, ink, letter_px)
    small = F.interpolate(square, size=(field_px, field_px), mode="nearest")
    grey = 2 * small.clamp(0, 1).expand(-1, 3, -1, -1) - 1
    paper = _colour(PAPER, field)
    side = paper.expand(len(grey), 3, field_px, (letter_px - field_px) // 2)
    return torch.cat((letter, torch.cat((side, grey, side), 3)), 2)


def draw_letter(field: Tensor, ink: Sequence[float], size: int) -> Tensor:
    """A letter in ink on paper, its edge as smooth as its pixels are small.

    Args:
        field: float [N, 1, 36, 36].
        size: width and height in px.

    Returns:
        float [N, 3, size, size] in -1..1.
    """
    large = F.interpolate(field, size=(size, size), mode="bilinear", align_corners=False)
    inside_px = (large - EDGE) / FALLOFF * (size / FIELD_PX)
    covered = (inside_px + 0.5).clamp(0, 1)
    paper = _colour(PAPER, field)
    return paper + covered * (_colour(ink, field) - paper)


def cut_strip(pictures: np.ndarray) -> np.ndarray:
    """The five different letters of pictures in a row.

    Args:
        pictures: uint8 [N, S, S, 3].

    Returns:
        uint8 [N, S / 2, 5 * S / 3, 3].
    """
    size = pictures.shape[1]
    height, width = size // ROWS, size // COLUMNS
    cells = pictures.reshape(-1, ROWS, height, COLUMNS, width, 3)
    return np.concatenate([cells[:, cell // COLUMNS, :, cell % COLUMNS] for cell in STRIP], 2)


def _colour(rgb: Sequence[float], like: Tensor) -> Tensor:
    """A colour of 0..1 as a picture of one pixel, float [1, 3, 1, 1] in -1..1."""
    return torch.tensor(rgb, dtype=like.dtype, device=like.device).view(1, 3, 1, 1) * 2 - 1
