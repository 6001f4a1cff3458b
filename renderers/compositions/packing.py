"""What goes to ffmpeg for a composed frame: small pictures and texts, and where each belongs.

To enlarge pictures and lay them out here would send many times as many bytes, and convert the
colours of every pixel of them. So pictures go in their own size, texts in theirs, all in one packed
frame, and ffmpeg cuts it up again, enlarges what is to be enlarged, and lays all of it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from renderers.compositions.arrangement import Rectangle, Row
from renderers.pictures.frame_layout import BARS, TAGS, TO_BT709, FrameLayout, Size
from renderers.pictures.overlay import MIXING

MASK_ROWS = 2  # A mask is one row of pixels, sent twice, since places are even.


class Slot(NamedTuple):
    """A place in the packed frame."""

    x: int
    y: int
    width: int
    height: int

    @property
    def crop(self) -> str:
        """The filter that cuts it out."""
        return f"crop={self.width}:{self.height}:{self.x}:{self.y}:exact=1"

    @property
    def area(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


class Packing:
    """Places in a packed frame, one shelf above the other.

    Attributes:
        shape: height, width and 3 of the packed frame.
    """

    def __init__(self) -> None:
        self._bottom, self._shelf, self._right, self._widest = 0, 0, 0, 2

    def add(self, width: int, height: int) -> Slot:
        """A place for what has a size."""
        if height != self._shelf or self._right + width > max(self._widest, width):
            self._bottom, self._shelf, self._right = self._bottom + self._shelf, height, 0
        slot = Slot(self._right, self._bottom, width, height)
        self._right += width
        self._widest = max(self._widest, self._right)
        return slot

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a frame that has all of them."""
        height = self._bottom + self._shelf
        return height + height % 2, self._widest + self._widest % 2, 3


@dataclass(frozen=True)
class Placed:
    """A place in the packed frame, and where it is shown; it is scaled if that is larger."""

    slot: Slot
    place: Rectangle


@dataclass(frozen=True)
class Wiped:
    """Two pictures on both sides of a line, whose opacities come as one row of pixels."""

    left: Slot
    right: Slot
    mask: Slot
    place: Rectangle


@dataclass(frozen=True)
class Scrolled:
    """A row of a strip: cells, their labels, and how far it has moved at a frame.

    Args:
        cells, labels: places in the packed frame, one for each of the row's points.
        label_px: the height of a label; 0 where there are none.
        step_px: pixels from frame to frame, even.
        inset_px: the first cell begins so far from the edge.
    """

    row: Row
    cells: tuple[Slot, ...]
    labels: tuple[Slot, ...]
    label_px: int
    step_px: int
    inset_px: int

    @property
    def period_px(self) -> int:
        """Pixels after which it shows the same."""
        return len(self.cells) * self.row.pitch

    @property
    def length_px(self) -> int:
        """So long is what the window moves over: once around, and the window itself."""
        window = self.row.window
        seen = window.width if self.row.across else window.height
        cells = -(-(self.period_px + seen) // self.row.pitch)
        return cells * self.row.pitch

    def offset(self, first: int) -> str:
        """ffmpeg's expression of where the window begins, in a part whose first frame is first."""
        moved = f"(n+{first})*{self.step_px}"
        begun = self.period_px - self.inset_px
        if self.row.back:
            return f"{self.period_px}-mod({moved}+{self.inset_px},{self.period_px})"
        return f"mod({moved}+{begun},{self.period_px})"


Piece = Placed | Wiped | Scrolled


class FrameGraph:
    """The filters of ffmpeg that make a composed frame of a packed one.

    Args:
        size: of the frame.
        scaling: how pictures become larger.
        pixel_format: ffmpeg's name of the result; the packed frame is rgb24.
        first: the number of the first frame in the film, since a part counts from 0.
    """

    def __init__(self, size: Size, scaling: str, pixel_format: str, first: int) -> None:
        self._size, self._scaling, self._format, self._first = size, scaling, pixel_format, first
        self._colours = (
            TO_BT709 if pixel_format.startswith("yuv") else "in_range=full:out_range=full"
        )
        self._chains: list[str] = []
        self._inputs, self._count = 0, 0

    def draw(self, pieces: list[Piece]) -> str:
        """The whole graph."""
        stacked = self._stack([self._piece(piece) for piece in pieces])
        width, height = self._size
        tags = f",{TAGS}" if self._format.startswith("yuv") else ""
        self._chains.append(
            f"[{stacked}]pad={width}:{height}:0:0:color={BARS},setsar=1,format={self._format}{tags}"
        )
        sources = "".join(f"[p{number}]" for number in range(self._inputs))
        return ";".join([f"split={self._inputs}{sources}", *self._chains])

    def _piece(self, piece: Piece) -> tuple[str, int, int]:
        """The name of what shows a piece, and where its corner is."""
        if isinstance(piece, Placed):
            return self._scaled(piece.slot, piece.place), piece.place.x, piece.place.y
        if isinstance(piece, Wiped):
            return self._wiped(piece), piece.place.x, piece.place.y
        return self._scrolled(piece), piece.row.window.x, piece.row.window.y

    def _source(self) -> str:
        self._inputs += 1
        return f"p{self._inputs - 1}"

    def _name(self) -> str:
        self._count += 1
        return f"s{self._count}"

    def _scaled(self, slot: Slot, place: Rectangle, pixel_format: str | None = None) -> str:
        """A picture or a text in the size and the colours of its place."""
        shown = place.width, place.height
        layout = FrameLayout((slot.width, slot.height), shown, shown, shown, self._scaling)
        name, extra = self._name(), f",format={pixel_format}" if pixel_format else ""
        filters = layout.filters(self._format)
        self._chains.append(f"[{self._source()}]{slot.crop},{filters}{extra}[{name}]")
        return name

    def _wiped(self, piece: Wiped) -> str:
        box_format, mixing = MIXING[self._format]
        left = self._scaled(piece.left, piece.place)
        right = self._scaled(piece.right, piece.place, box_format)
        size = f"scale={piece.place.width}:{piece.place.height}:flags=neighbor"
        mask, line, line_too, side, bar, mixed, result = (self._name() for _ in range(7))
        self._chains += [
            f"[{self._source()}]{piece.mask.crop},extractplanes=r+g[{mask}0][{line}0]",
            f"[{mask}0]{size}[{mask}]",
            f"[{line}0]{size},split[{line}][{line_too}]",
            f"[{right}][{mask}]alphamerge[{side}]",
            f"[{left}][{side}]overlay=0:0:format={mixing}[{mixed}]",
            f"[{line}]scale=flags=accurate_rnd:{self._colours},format={box_format}[{line}1]",
            f"[{line}1][{line_too}]alphamerge[{bar}]",
            f"[{mixed}][{bar}]overlay=0:0:format={mixing},format={self._format}[{result}]",
        ]
        return result

    def _scrolled(self, piece: Scrolled) -> str:
        """The row once around and a window further, of which the window moves over it."""
        row, cell = piece.row, piece.row.cell
        total = piece.length_px // row.pitch
        laid: list[tuple[str, int, int]] = []
        label = Rectangle(0, 0, cell.width, piece.label_px)
        for number, slot in enumerate(piece.cells):
            places = range(number, total, len(piece.cells))
            drawn = [(self._scaled(slot, cell), 0)]
            if piece.labels:
                drawn.append((self._scaled(piece.labels[number], label), cell.height))
            for name, below in drawn:
                copies = [f"{name}c{place}" for place in places]
                outputs = "".join(f"[{copy}]" for copy in copies)
                self._chains.append(f"[{name}]split={len(copies)}{outputs}")
                for copy, place in zip(copies, places, strict=True):
                    along = place * row.pitch
                    laid.append((copy, along, below) if row.across else (copy, 0, along + below))
        long, window, result = self._stack(laid), row.window, self._name()
        length = (piece.length_px, window.height) if row.across else (window.width, piece.length_px)
        axis = "x" if row.across else "y"
        still = "y=0" if row.across else "x=0"
        self._chains.append(
            f"[{long}]pad={length[0]}:{length[1]}:0:0:color={BARS},"
            f"crop=w={window.width}:h={window.height}:{still}:{axis}='{piece.offset(self._first)}'"
            f"[{result}]"
        )
        return result

    def _stack(self, laid: list[tuple[str, int, int]]) -> str:
        """Lay pictures out, each with its corner, on the dark ground."""
        if len(laid) == 1 and laid[0][1:] == (0, 0):
            return laid[0][0]
        name = self._name()
        inputs = "".join(f"[{each}]" for each, _, _ in laid)
        corners = "|".join(f"{x}_{y}" for _, x, y in laid)
        self._chains.append(
            f"{inputs}xstack=inputs={len(laid)}:layout={corners}:fill={BARS}[{name}]"
        )
        return name


def wipe_mask(width: int, edge: float, line_px: int) -> np.ndarray:
    """The row of pixels that divides two pictures.

    Args:
        width: of the pictures, in pixels.
        edge: where the right one begins, 0..width.
        line_px: the width of the line between them.

    Returns:
        uint8 [MASK_ROWS, width, 3]: the opacity of the right picture, of the line, and nothing.
    """
    middle = np.arange(width) + 0.5
    mask = np.zeros((MASK_ROWS, width, 3), np.uint8)
    mask[..., 0] = np.rint(255 * np.clip(middle - edge + 0.5, 0, 1))
    mask[..., 1] = np.rint(255 * np.clip(line_px / 2 + 0.5 - np.abs(middle - edge), 0, 1))
    return mask
