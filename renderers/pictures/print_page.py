"""Pictures on a sheet of paper: as large as they can be, each with its caption, at 300 dpi."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from renderers.errors import RenderError
from renderers.files import replacing

DPI = 300
PAPERS = {"a4": (210, 297), "a3": (297, 420), "a2": (420, 594)}  # Width and height in mm.
SUFFIXES = (".png", ".jpg", ".jpeg", ".pdf")
GROUND, INK, QUIET = (255, 255, 255), (32, 32, 36), (112, 112, 118)
MARGIN_MM, GAP_MM = 14.0, 3.0
TITLE_MM, CAPTION_MM, CREDIT_MM = 7.0, 2.6, 2.4  # The height of letters.
LINE = 1.7  # The height of a line, in that of its letters.
LEAST_MM = 8.0  # Pictures that are smaller show nothing.
QUALITY = 95


class Box(NamedTuple):
    """Where a picture lies on a page, in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class PageLayout:
    """How pictures fill a page.

    Args:
        width, height: of the page, in pixels.
        columns: pictures in a row.
        boxes: of the pictures, row by row.
    """

    width: int
    height: int
    columns: int
    boxes: tuple[Box, ...]


def lay_out_page(
    count: int,
    aspect: float,
    paper: str,
    *,
    landscape: bool = False,
    has_title: bool = True,
    has_credit: bool = True,
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
    sides = PAPERS[paper][::-1] if landscape else PAPERS[paper]
    width, height = (_pixels(side) for side in sides)
    margin, gap, line = _pixels(MARGIN_MM), _pixels(GAP_MM), _pixels(CAPTION_MM * LINE)
    above = has_title * _pixels(TITLE_MM * LINE)
    below = has_credit * _pixels(CREDIT_MM * LINE)
    room = width - 2 * margin, height - 2 * margin - above - below

    def width_of(columns: int) -> float:
        """How wide pictures are in so many columns."""
        rows = math.ceil(count / columns)
        across = (room[0] - (columns - 1) * gap) / columns
        down = (room[1] - (rows - 1) * gap) / rows - line
        return min(across, down * aspect)

    columns = max(range(1, count + 1), key=width_of)
    cell = int(width_of(columns)), int(width_of(columns) / aspect)
    if min(cell) < _pixels(LEAST_MM):
        raise RenderError(
            f"{count:,} pictures would be smaller than {LEAST_MM:g} mm on {paper.upper()}. Choose "
            "fewer of them, or a larger paper."
        )
    rows = math.ceil(count / columns)
    left = (width - columns * cell[0] - (columns - 1) * gap) // 2
    used = rows * (cell[1] + line) + (rows - 1) * gap
    top = margin + above + (room[1] - used) // 2
    boxes = tuple(
        Box(
            left + i % columns * (cell[0] + gap),
            top + i // columns * (cell[1] + line + gap),
            *cell,
        )
        for i in range(count)
    )
    return PageLayout(width, height, columns, boxes)


class PrintPage:
    """A page that fills as pictures come; only the page is in memory.

    Args:
        layout: where everything lies.
        captions: a text below each picture; one that is wider is cut off.
        title, credit: a line above all, and one at the foot.
    """

    def __init__(
        self, layout: PageLayout, captions: list[str], title: str = "", credit: str = ""
    ) -> None:
        self._layout, self._captions = layout, captions
        self.image = Image.new("RGB", (layout.width, layout.height), GROUND)
        self._draw = ImageDraw.Draw(self.image)
        left, margin = layout.boxes[0].left, _pixels(MARGIN_MM)
        if title:
            self._write(title, (left, margin), TITLE_MM, INK, layout.width - 2 * left)
        if credit:
            foot = layout.height - margin - _pixels(CREDIT_MM)
            self._write(credit, (left, foot), CREDIT_MM, QUIET, layout.width - 2 * left)

    def add(self, number: int, picture: np.ndarray) -> None:
        """Lay a picture, uint8 [height, width, 3], in its place; it is enlarged smoothly."""
        box = self._layout.boxes[number]
        image = Image.fromarray(picture).resize((box.width, box.height), Image.Resampling.LANCZOS)
        self.image.paste(image, (box.left, box.top))
        below = box.top + box.height + _pixels(CAPTION_MM * 0.35)
        self._write(self._captions[number], (box.left, below), CAPTION_MM, QUIET, box.width)

    def save(self, path: Path) -> Path:
        """Write the page as PNG, JPEG or PDF with its size on paper, whole or not at all.

        Raises:
            RenderError: an unknown suffix, or the file cannot be written.
        """
        if path.suffix.lower() not in SUFFIXES:
            raise RenderError(f"Cannot write a page as '{path.name}': use {', '.join(SUFFIXES)}.")
        options: dict[str, Any] = {"dpi": (DPI, DPI), "resolution": DPI}
        if path.suffix.lower() != ".png":
            options["quality"] = QUALITY
        with replacing(path) as temporary:
            self.image.save(temporary, **options)
        return path

    def _write(
        self,
        text: str,
        place: tuple[int, int],
        letter_mm: float,
        colour: tuple[int, int, int],
        width: int,
    ) -> None:
        font = ImageFont.load_default(_pixels(letter_mm))
        self._draw.text(place, _fitted(text, font, width), colour, font)


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As much of a text as is not wider; an ellipsis says that there is more."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _pixels(millimetres: float) -> int:
    return round(millimetres / 25.4 * DPI)
