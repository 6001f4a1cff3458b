"""Pictures on a page to be printed: as large as they can be, each with its caption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from renderers.errors import RenderError
from renderers.pictures.paper import Paper

# Everything is in millimetres.
PAPERS = {"a4": (210.0, 297.0), "a3": (297.0, 420.0), "a2": (420.0, 594.0)}
GROUND, INK, QUIET = "#ffffff", "#202024", "#707076"
MARGIN, GAP = 14.0, 3.0
TITLE, CAPTION, CREDIT = 7.0, 2.6, 2.4  # The height of letters,
LINE = 1.7  # and of a line, in that of its letters.
LEAST = 8.0  # Pictures that are smaller show nothing.


class Box(NamedTuple):
    """Where a picture lies on a page."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class PageLayout:
    """How pictures fill a page.

    Args:
        width, height: of the page.
        columns: pictures in a row.
        boxes: of the pictures, row by row.
    """

    width: float
    height: float
    columns: int
    boxes: tuple[Box, ...]


def lay_out_page(
    count: int, aspect: float, paper: str, *, landscape: bool = False, has_credit: bool = True
) -> PageLayout:
    """Choose the columns with which pictures become largest, and place them in the middle.

    Args:
        count: at least 1.
        aspect: width by height of a picture.
        paper: one of PAPERS.

    Raises:
        RenderError: an unknown paper, or pictures that would be too small to be seen.
    """
    if paper not in PAPERS:
        raise RenderError(f"There is no paper '{paper}'. Use {', '.join(PAPERS)}.")
    width, height = PAPERS[paper][::-1] if landscape else PAPERS[paper]
    line, above, below = CAPTION * LINE, TITLE * LINE, has_credit * CREDIT * LINE
    room = width - 2 * MARGIN, height - 2 * MARGIN - above - below

    def width_of(columns: int) -> float:
        """How wide pictures are in so many columns."""
        rows = math.ceil(count / columns)
        across = (room[0] - (columns - 1) * GAP) / columns
        down = (room[1] - (rows - 1) * GAP) / rows - line
        return min(across, down * aspect)

    columns = max(range(1, count + 1), key=width_of)
    cell = width_of(columns), width_of(columns) / aspect
    if min(cell) < LEAST:
        raise RenderError(
            f"{count:,} pictures would be smaller than {LEAST:g} mm on {paper.upper()}. Choose "
            "fewer of them, or a larger paper."
        )
    rows = math.ceil(count / columns)
    left = (width - columns * cell[0] - (columns - 1) * GAP) / 2
    used = rows * (cell[1] + line) + (rows - 1) * GAP
    top = MARGIN + above + (room[1] - used) / 2
    boxes = tuple(
        Box(
            left + i % columns * (cell[0] + GAP),
            top + i // columns * (cell[1] + line + GAP),
            *cell,
        )
        for i in range(count)
    )
    return PageLayout(width, height, columns, boxes)


class PrintPage:
    """A page onto which pictures come one by one.

    Args:
        layout: where everything lies.
        captions: a text below each picture.
        title, credit: a line above all, and one at the foot.
    """

    def __init__(
        self, layout: PageLayout, captions: Sequence[str], title: str = "", credit: str = ""
    ) -> None:
        self._layout, self._captions = layout, captions
        self._paper = Paper(layout.width, layout.height, GROUND)
        left = layout.boxes[0].left
        room = layout.width - 2 * left
        self._paper.write(title, (left, MARGIN), TITLE, INK, room=room)
        foot = layout.height - MARGIN - CREDIT
        self._paper.write(credit, (left, foot), CREDIT, QUIET, room=room)

    def add(self, number: int, picture: np.ndarray) -> None:
        """Lay a picture, uint8 [height, width, 3], in its place."""
        box = self._layout.boxes[number]
        self._paper.lay(picture, box)
        below = box.top + box.height + CAPTION * 0.35
        text = self._captions[number]
        self._paper.write(text, (box.left, below), CAPTION, QUIET, room=box.width)

    def save(self, path: Path) -> Path:
        """Write the page; see `Paper.save`."""
        return self._paper.save(path)
