"""Cut a picture into tiles that a network enlarges one by one, to the picture of one pass."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor


class EnlargingNetwork(Protocol):
    """A module that enlarges pictures of any size.

    What it makes of a pixel depends on those around it, up to `reach` px away, and beyond the
    borders of a picture it sees what it sees in one pass.
    """

    @property
    def scale(self) -> int:
        """How many times as wide and high pictures become."""
        ...

    @property
    def reach(self) -> int:
        """How far, in px of the small picture, pixels bear upon those that others become."""
        ...

    def enlarge(self, x: Tensor) -> Tensor:
        """float [N, 3, h, w] in 0..1 -> float [N, 3, h*scale, w*scale], about in 0..1."""
        ...


@dataclass(frozen=True)
class PixelSpan:
    """Pixels `first` to `end`, made of `seen_first` to `seen_end`; ends are not within."""

    first: int
    end: int
    seen_first: int
    seen_end: int

    @property
    def seen(self) -> slice:
        """What the network is given, in px of the small picture."""
        return slice(self.seen_first, self.seen_end)

    def inner(self, scale: int) -> slice:
        """What is taken of that which the network gives, in its px."""
        return slice(
            (self.first - self.seen_first) * scale,
            (self.end - self.seen_first) * scale,
        )

    def halves(self, length: int, reach: int) -> list[PixelSpan]:
        """Its two halves, in a picture that has so many px; itself where it is a single px."""
        middle = (self.first + self.end) // 2
        return [
            PixelSpan(first, end, max(0, first - reach), min(length, end + reach))
            for first, end in pairwise((self.first, middle, self.end))
            if first < end
        ]


@dataclass(frozen=True)
class Tile:
    """A part of a picture, and what the network has to see for it."""

    rows: PixelSpan
    columns: PixelSpan

    def quarters(self, height_px: int, width_px: int, reach: int) -> list[list[Tile]]:
        """The smaller tiles that make it up, row by row, in a picture of that size."""
        columns = self.columns.halves(width_px, reach)
        rows = self.rows.halves(height_px, reach)
        return [[Tile(span, column) for column in columns] for span in rows]


def cut_spans(length: int, most: int, reach: int) -> list[PixelSpan]:
    """Spans of about one length that lie side by side.

    Args:
        length: of the picture in px.
        most: px of a span at most, without what it only sees.
        reach: how far a span sees beyond its ends, but not beyond the borders of the picture.

    Example:
        >>> [(span.first, span.end, span.seen_first, span.seen_end) for span in cut_spans(9, 5, 2)]
        [(0, 4, 0, 6), (4, 9, 2, 9)]
    """
    count = -(-length // most)
    borders = [length * number // count for number in range(count + 1)]
    return [
        PixelSpan(first, end, max(0, first - reach), min(length, end + reach))
        for first, end in pairwise(borders)
    ]


def cut_bands(height_px: int, width_px: int, tile_px: int, reach: int) -> list[list[Tile]]:
    """The tiles of a picture, row by row of tiles, each from left to right."""
    columns = cut_spans(width_px, tile_px, reach)
    return [[Tile(rows, span) for span in columns] for rows in cut_spans(height_px, tile_px, reach)]


def enlarge_tile(network: EnlargingNetwork, x: Tensor, tile: Tile) -> Tensor:
    """What a network makes of a tile.

    Args:
        x: the whole picture, float [N, 3, h, w] in 0..1.

    Returns:
        float [N, 3, rows*scale, columns*scale], as they are in the picture of one pass.
    """
    enlarged = network.enlarge(x[:, :, tile.rows.seen, tile.columns.seen])
    scale = network.scale
    return enlarged[:, :, tile.rows.inner(scale), tile.columns.inner(scale)]


def enlarge_by_tiles(network: EnlargingNetwork, x: Tensor, tile_px: int) -> Tensor:
    """What a network makes of pictures, in no more memory than a tile takes beside the result.

    Args:
        x: float [N, 3, h, w] in 0..1.
        tile_px: width and height of tiles at most, without what they only see.

    Returns:
        float [N, 3, h*scale, w*scale].
    """
    bands = cut_bands(x.shape[2], x.shape[3], tile_px, network.reach)
    if len(bands) == len(bands[0]) == 1:
        return network.enlarge(x)
    rows = (torch.cat([enlarge_tile(network, x, tile) for tile in band], dim=3) for band in bands)
    return torch.cat(list(rows), dim=2)
