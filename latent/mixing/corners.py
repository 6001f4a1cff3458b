"""Grids of latent points between four corners."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latent.errors import LatentError
from latent.interpolation import slerp


def blend_corners(corners: Sequence[Tensor], rows: int, columns: int) -> Tensor:
    """Fill a grid between four points, along great circles from edge to edge.

    The left and the right edge are great circles, and each row is one from the left edge to the
    right. In angles this is what bilinear interpolation is in plane numbers.

    Args:
        corners: top left, top right, bottom left, bottom right; each float32 [z_dim].
        rows, columns: two or more.

    Returns:
        float32 [rows, columns, z_dim]; the corners are the four points, bit for bit.

    Raises:
        LatentError: another number of corners, or too few rows or columns.
    """
    if len(corners) != 4:
        raise LatentError(f"A grid has four corners, not {len(corners)}.")
    if min(rows, columns) < 2:
        raise LatentError(f"A grid of {rows} x {columns} has no four corners: use two or more.")
    top_left, top_right, bottom_left, bottom_right = corners
    down, across = torch.linspace(0, 1, rows), torch.linspace(0, 1, columns)
    left, right = slerp(top_left, bottom_left, down), slerp(top_right, bottom_right, down)
    grid = torch.stack([slerp(a, b, across) for a, b in zip(left, right, strict=True)])
    grid[0, 0], grid[0, -1], grid[-1, 0], grid[-1, -1] = corners
    return grid
