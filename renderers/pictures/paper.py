"""A sheet of paper to compose on, in millimetres: texts, lines and pictures, as PNG, PDF or SVG.

What is laid on it is kept as a list, and drawn when it is saved: by Pillow at 300 dpi, or as the
elements of an SVG, whose texts and lines stay sharp at any size.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from renderers.errors import RenderError
from renderers.files import replacing

DPI, MM_PER_INCH = 300, 25.4
SUFFIXES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")
SUPERSAMPLING = 3  # Lines are drawn so many times as large, then averaged.
QUALITY = 95
ASCENT = 0.93  # From the top of a line to the foot of its letters, in their height.
Anchor = Literal["left", "middle", "right"]
Place = tuple[float, float]


@dataclass(frozen=True)
class PaperText:
    """A line of text; `place` is where its top is, at its left, middle or right."""

    text: str
    place: Place
    letter: float
    colour: str
    anchor: Anchor


@dataclass(frozen=True)
class PaperLine:
    """A line through places, so wide."""

    places: tuple[Place, ...]
    colour: str
    width: float


@dataclass(frozen=True, eq=False)
class PaperPicture:
    """A picture, uint8 [H, W, 3], in a box: left, top, width, height."""

    pixels: np.ndarray
    box: tuple[float, float, float, float]


class Paper:
    """A sheet of so many millimetres.

    Args:
        width, height: in millimetres.
        ground: its colour, as #rrggbb.
    """

    def __init__(self, width: float, height: float, ground: str) -> None:
        self.width, self.height, self.ground = width, height, ground
        self._laid: list[PaperText | PaperLine | PaperPicture] = []

    def write(
        self,
        text: str,
        place: Place,
        letter: float,
        colour: str,
        anchor: Anchor = "left",
        room: float | None = None,
    ) -> None:
        """Write a line; what is wider than its room is cut off with an ellipsis."""
        if text:
            fitted = text if room is None else fit_text(text, letter, room)
            self._laid.append(PaperText(fitted, place, letter, colour, anchor))

    def draw(self, places: Sequence[Place], colour: str, width: float) -> None:
        """Draw a line through at least two places."""
        self._laid.append(PaperLine(tuple(places), colour, width))

    def lay(self, pixels: np.ndarray, box: tuple[float, float, float, float]) -> None:
        """Lay a picture, uint8 [H, W, 3], into a box; it is enlarged smoothly."""
        self._laid.append(PaperPicture(pixels, box))

    def save(self, path: Path) -> Path:
        """Write the sheet by its suffix, whole or not at all.

        Raises:
            RenderError: an unknown suffix, or the file cannot be written.
        """
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            raise RenderError(f"Cannot write a sheet as '{path.name}': use {', '.join(SUFFIXES)}.")
        with replacing(path) as temporary:
            if suffix == ".svg":
                temporary.write_text("\n".join(self._to_svg()), "utf-8")
            else:
                save_page(self.paint(), temporary)
        return path

    def paint(self) -> Image.Image:
        """The sheet in pixels, RGB, at DPI."""
        page = Image.new("RGB", (pixels_of(self.width), pixels_of(self.height)), self.ground)
        for piece in self._laid:
            if isinstance(piece, PaperPicture):
                left, top, width, height = map(pixels_of, piece.box)
                image = Image.fromarray(piece.pixels)
                page.paste(image.resize((width, height), Image.Resampling.LANCZOS), (left, top))
            elif isinstance(piece, PaperLine):
                _paint_line(page, piece)
            else:
                place = pixels_of(piece.place[0]), pixels_of(piece.place[1])
                anchor = {"left": "la", "middle": "ma", "right": "ra"}[piece.anchor]
                font = ImageFont.load_default(pixels_of(piece.letter))
                ImageDraw.Draw(page).text(place, piece.text, piece.colour, font, anchor)
        return page

    def _to_svg(self) -> Iterator[str]:
        """The sheet as lines of SVG; pictures are in it, and nothing is fetched."""
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}mm" '
            f'height="{self.height}mm" viewBox="0 0 {self.width} {self.height}">'
        )
        yield f'<rect width="100%" height="100%" fill={quoteattr(self.ground)}/>'
        for piece in self._laid:
            if isinstance(piece, PaperPicture):
                left, top, width, height = piece.box
                yield (
                    f'<image x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" '
                    f'preserveAspectRatio="none" href="{_data_url(piece.pixels)}"/>'
                )
            elif isinstance(piece, PaperLine):
                places = " ".join(f"{x:.3f},{y:.3f}" for x, y in piece.places)
                yield (
                    f'<polyline points="{places}" fill="none" stroke={quoteattr(piece.colour)} '
                    f'stroke-width="{piece.width:g}" stroke-linejoin="round"/>'
                )
            else:
                x, y = piece.place[0], piece.place[1] + ASCENT * piece.letter
                anchor = {"left": "start", "middle": "middle", "right": "end"}[piece.anchor]
                yield (
                    f'<text x="{x:g}" y="{y:g}" font-size="{piece.letter:g}" '
                    f'font-family="sans-serif" text-anchor="{anchor}" '
                    f"fill={quoteattr(piece.colour)}>{escape(piece.text)}</text>"
                )
        yield "</svg>"


def save_page(image: Image.Image, path: Path) -> None:
    """Write a page as PNG, JPEG or PDF with its size on paper.

    Raises:
        OSError: it cannot be written.
    """
    options: dict[str, Any] = {"dpi": (DPI, DPI), "resolution": DPI}
    if path.suffix.lower() != ".png":
        options["quality"] = QUALITY
    image.save(path, **options)


def fit_text(text: str, letter: float, room: float) -> str:
    """As much of a line as has room, both in millimetres; an ellipsis says that there is more.

    Example:
        >>> fit_text("Helsinki", 4, 100), fit_text("Helsinki", 4, 10)
        ('Helsinki', 'Hel…')
    """
    font, width = ImageFont.load_default(pixels_of(letter)), pixels_of(room)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def text_width(text: str, letter: float) -> float:
    """How wide a line of text is, in millimetres."""
    return ImageFont.load_default(pixels_of(letter)).getlength(text) / DPI * MM_PER_INCH


def pixels_of(millimetres: float) -> int:
    """So many pixels of a printed page."""
    return round(millimetres / MM_PER_INCH * DPI)


def _paint_line(page: Image.Image, line: PaperLine) -> None:
    """Draw a line without jags: the part of the page where it lies is drawn larger."""
    width = line.width / MM_PER_INCH * DPI
    places = np.array(line.places) / MM_PER_INCH * DPI
    low = np.floor(places.min(0) - width - 1).astype(int)
    high = np.ceil(places.max(0) + width + 1).astype(int)
    box = (*low.tolist(), *high.tolist())
    size = tuple(((high - low) * SUPERSAMPLING).tolist())
    mask = Image.new("L", size, 0)
    drawn = [tuple(place) for place in ((places - low) * SUPERSAMPLING).tolist()]
    ImageDraw.Draw(mask).line(drawn, 255, max(1, round(width * SUPERSAMPLING)), joint="curve")
    mask = mask.resize(tuple((high - low).tolist()), Image.Resampling.BOX)
    page.paste(line.colour, box, mask)


def _data_url(pixels: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
