"""Where the pictures, their labels and the text of a composed frame lie.

All edges are even, so that each place covers whole chroma samples of `yuv420p`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from renderers.compositions.composition import GRID, LARGE, MAP, STRIP, WIPE
from renderers.pictures.frame_layout import Size

UNIT_PX = 1080  # Lengths below are for a frame whose shorter side has so many pixels.
MARGIN, GAP, LABEL = 40, 16, 50
BESIDE = 300  # The least width of a text beside the pictures.
ROOMY = 250  # A text that has so much height, and BESIDE of width, is set large.
ROOMIEST = 400, 700  # It takes no more height below pictures, and no more width beside them.
RAGGED = 0.75  # What cells are worth where a row is shorter than the others.
SMALLEST = 6  # Small cells beside a large one should be at least this part of it.
ALIGNED = 0.75  # A text below pictures is as wide as they are, if they are wide enough.
BESIDE_FROM = 1.2  # Frames that are so much wider than high may have their text beside.
MIN_ROW_POINTS = 3  # A second row of a strip needs so many points in each.


class Rectangle(NamedTuple):
    """A place in a frame, in pixels; all numbers are even."""

    x: int
    y: int
    width: int
    height: int

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height

    def moved(self, x: int, y: int) -> Rectangle:
        """The same, further to the right and down."""
        return Rectangle(self.x + x, self.y + y, self.width, self.height)


@dataclass(frozen=True)
class Row:
    """A row, or column, of a strip that scrolls.

    Args:
        window: what is seen of it.
        points: numbers of its points.
        cell: the first cell; the others follow at equal distances.
        pitch: from cell to cell, in pixels.
        across: it scrolls from right to left, or back; else from bottom to top, or back.
        back: whether it goes the other way.
    """

    window: Rectangle
    points: tuple[int, ...]
    cell: Rectangle
    pitch: int
    across: bool
    back: bool


@dataclass(frozen=True)
class FrameArrangement:
    """Where everything lies.

    Args:
        cells: of the points in their order; a wipe has one for both, and a map has a second one
            for itself.
        labels: of the cells; none where labels have no room.
        panel: of the text.
        rows: of a strip, which has no cells.
    """

    cells: tuple[Rectangle, ...]
    labels: tuple[Rectangle, ...]
    panel: Rectangle
    rows: tuple[Row, ...] = ()


class _Block(NamedTuple):
    """Cells whose upper left corner is at 0, 0."""

    cells: tuple[Rectangle, ...]
    width: int
    height: int
    merit: float


def even(length: float) -> int:
    """The largest even number of pixels in a length."""
    return int(length) // 2 * 2


def scaled(length: float, size: Size) -> int:
    """A length for frames of UNIT_PX in a frame of a size; even, at least 2."""
    return max(2, even(length * min(size) / UNIT_PX))


def arrange(
    kind: str,
    count: int,
    size: Size,
    aspect: float,
    panel_px: int,
    *,
    columns: int | None = None,
    labelled: bool = True,
) -> FrameArrangement:
    """Arrange so many points in a frame.

    Args:
        kind: see `Composition`.
        size: of the frame.
        aspect: the width of a picture by its height.
        panel_px: the least height of a text below the pictures.
        columns: of a grid.
        labelled: whether cells have labels.
    """
    label_px = scaled(LABEL, size) if labelled else 0
    if kind == STRIP:
        return _arrange_strip(count, size, aspect, panel_px, label_px)
    shown = {WIPE: 1, MAP: 2}.get(kind, count)
    margin, gap = scaled(MARGIN, size), scaled(GAP, size)
    wide, high = size[0] - 2 * margin, size[1] - 2 * margin
    rooms = [(wide, high - panel_px - gap)]
    if size[0] > BESIDE_FROM * size[1]:
        rooms.append((wide - scaled(BESIDE, size) - 2 * gap, high))
    layout = kind if kind == LARGE else GRID
    found = [
        (place, block)
        for place, room in enumerate(rooms)
        for block in _blocks(layout, shown, room, aspect, gap, label_px, columns)
    ]
    place, block = max(found, key=lambda each: (each[1].merit, -each[0]))
    put = _put_beside if place else _put_below
    corner, panel = put(block, size, margin, gap, panel_px)
    cells = tuple(cell.moved(*corner) for cell in block.cells)
    labels = tuple(Rectangle(c.x, c.y + c.height, c.width, label_px) for c in cells)
    return FrameArrangement(cells, labels if label_px else (), panel)


def _put_below(
    block: _Block, size: Size, margin: int, gap: int, panel_px: int
) -> tuple[tuple[int, int], Rectangle]:
    """The text below the pictures, large where there is much room; both in the middle."""
    wide = size[0] - 2 * margin
    free = size[1] - 2 * margin - block.height - gap
    height = panel_px if free < scaled(ROOMY, size) else min(free, scaled(ROOMIEST[0], size))
    top = margin + even((free - height) / 2)
    left = margin + even((wide - block.width) / 2)
    is_narrow = block.width < ALIGNED * wide
    x, width = (margin, wide) if is_narrow else (left, block.width)
    return (left, top), Rectangle(x, top + block.height + gap, even(width), even(height))


def _put_beside(
    block: _Block, size: Size, margin: int, gap: int, panel_px: int
) -> tuple[tuple[int, int], Rectangle]:
    """The text at the right of the pictures, as high as they are."""
    room = size[0] - 2 * margin - block.width - 3 * gap
    width = min(even(room), scaled(ROOMIEST[1], size))
    left = margin + even((size[0] - 2 * margin - block.width - 3 * gap - width) / 2)
    top = margin + even((size[1] - 2 * margin - block.height) / 2)
    panel = Rectangle(left + block.width + even(3 * gap), top, width, block.height)
    return (left, top), panel


def _blocks(
    layout: str,
    count: int,
    room: Size,
    aspect: float,
    gap: int,
    label_px: int,
    columns: int | None,
) -> Iterator[_Block]:
    """All ways to arrange cells in a room; better ones have more merit."""
    if layout == LARGE and count > 1:
        for down, across in product(range(1, count), repeat=2):
            if 0 <= down * across - (count - 1) < across:
                yield from _large_blocks(count, down, across, room, aspect, gap, label_px)
        return
    for across in [min(columns, count)] if columns else range(1, count + 1):
        yield _grid_block(count, across, room, aspect, gap, label_px, bool(columns))


def _grid_block(
    count: int, across: int, room: Size, aspect: float, gap: int, label_px: int, in_order: bool
) -> _Block:
    """Cells of one size row by row; shorter rows stand in the middle."""
    down = math.ceil(count / across)
    widest = (room[0] - (across - 1) * gap) / across
    highest = (room[1] - (down - 1) * gap) / down - label_px
    height = max(2.0, min(highest, widest / aspect))
    cell = max(2, even(height * aspect)), max(2, even(height))
    # Rows differ by one cell at most, unless somebody chose how long they are.
    lengths = [count // down + (row < count % down) for row in range(down)]
    if in_order:
        lengths = [min(across, count - row * across) for row in range(down)]
    width = max(lengths) * (cell[0] + gap) - gap
    cells = []
    for row, length in enumerate(lengths):
        left = even((width - length * (cell[0] + gap) + gap) / 2)
        y = row * (cell[1] + label_px + gap)
        cells += [Rectangle(left + i * (cell[0] + gap), y, *cell) for i in range(length)]
    merit = cell[0] * cell[1] * (1.0 if min(lengths) == max(lengths) else RAGGED)
    return _Block(tuple(cells), width, down * (cell[1] + label_px + gap) - gap, merit)


def _large_blocks(
    count: int, down: int, across: int, room: Size, aspect: float, gap: int, label_px: int
) -> Iterator[_Block]:
    """The first cell large, the others in `down` rows and `across` columns beside or below it."""
    for height in range(even(room[1] - label_px), 0, -2):
        large = Rectangle(0, 0, even(height * aspect), height)
        # Beside: the small ones with their labels are together as high as the large one.
        small_h = even((height + label_px - (down - 1) * gap) / down - label_px)
        small = even(small_h * aspect), small_h
        width = large.width + across * (small[0] + gap)
        if min(small) > 1 and width <= room[0]:
            corner = large.width + gap, 0
            yield _large_block(count, large, corner, small, across, gap, label_px)
            break
    for width in range(even(room[0]), 0, -2):
        large = Rectangle(0, 0, width, even(width / aspect))
        small_w = even((width - (across - 1) * gap) / across)
        small = small_w, even(small_w / aspect)
        below = large.height + label_px + gap
        if min(small) > 1 and below + down * (small[1] + label_px + gap) - gap <= room[1]:
            yield _large_block(count, large, (0, below), small, across, gap, label_px)
            break


def _large_block(
    count: int,
    large: Rectangle,
    corner: tuple[int, int],
    small: Size,
    across: int,
    gap: int,
    label_px: int,
) -> _Block:
    pitch = small[0] + gap, small[1] + label_px + gap
    cells = [large] + [
        Rectangle(corner[0] + i % across * pitch[0], corner[1] + i // across * pitch[1], *small)
        for i in range(count - 1)
    ]
    width = max(cell.x + cell.width for cell in cells)
    height = max(cell.y + cell.height for cell in cells) + label_px
    merit = sum(cell.area for cell in cells) * min(1.0, SMALLEST * small[1] / large.height) ** 2
    if (count - 1) % across:
        merit *= RAGGED
    return _Block(tuple(cells), width, height, merit)


def _arrange_strip(
    count: int, size: Size, aspect: float, panel_px: int, label_px: int
) -> FrameArrangement:
    """One row or two of all points, from edge to edge; columns where the frame is higher."""
    margin, gap = scaled(MARGIN, size), scaled(GAP, size)
    panel_y = size[1] - margin - panel_px
    panel = Rectangle(margin, panel_y, size[0] - 2 * margin, panel_px)
    across = size[0] >= size[1]
    breadth = panel_y - gap - margin if across else size[0] - 2 * margin
    rows: tuple[Row, ...] = ()
    for number in (1, 2):
        each = (breadth - (number - 1) * gap) / number
        cell_h = each - label_px if across else each / aspect
        cell = even(cell_h * aspect), even(cell_h)
        pitch = cell[0] + gap if across else cell[1] + label_px + gap
        length = size[0] if across else panel_y - gap
        least = count // number
        if number == 1 or (least >= MIN_ROW_POINTS and least * pitch >= length):
            shift = even(each) + gap
            windows = [
                Rectangle(0, margin + row * shift, size[0], even(each))
                if across
                else Rectangle(margin + row * shift, 0, even(each), panel_y - gap)
                for row in range(number)
            ]
            rows = tuple(
                Row(
                    window,
                    tuple(range(row, count, number)),
                    Rectangle(0, 0, *cell),
                    pitch,
                    across,
                    bool(row),
                )
                for row, window in enumerate(windows)
            )
    cells = tuple(row.cell for row in rows[:1])
    labels = tuple(Rectangle(0, cell.height, cell.width, label_px) for cell in cells)
    return FrameArrangement(cells, labels if label_px else (), panel, rows)
