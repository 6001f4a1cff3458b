"""Compose the frames of a film: pictures in their places, labels, the text, and what moves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle

import numpy as np

from renderers.compositions.arrangement import (
    LABEL,
    MARGIN,
    FrameArrangement,
    Rectangle,
    Row,
    arrange,
    even,
    scaled,
)
from renderers.compositions.composition import MAP, STRIP, WIPE, Composition
from renderers.compositions.lit_map import LitMap
from renderers.compositions.packing import (
    MASK_ROWS,
    FrameGraph,
    Packing,
    Piece,
    Placed,
    Scrolled,
    Slot,
    Wiped,
    wipe_mask,
)
from renderers.compositions.panel import FilmWords, TextPanel, panel_height
from renderers.compositions.typeface import blank, fitting_size, text_width, write

LABEL_TEXT, LEAST_LABEL = 32, 18  # Sizes of the text of labels, for frames of UNIT_PX.
WIPE_S, WIPE_SHARE = 9.0, 0.42  # The line goes there and back in that time, so far from the middle.
WIPE_LINE = 4
CELL_S = 2.8  # A strip moves on by a cell in that time.
SHOWN_S = 2.5  # A map shows a city for about so long.


class ComposedFrame:
    """Packs each frame of a composed film for ffmpeg, and knows the filters that lay it out.

    Args:
        composition: what it looks like.
        words: what is written on it.
        labels: of the points; none for a point that moves.
        picture: width and height of the pictures.

    Attributes:
        shape: height, width and 3 of a packed frame.
    """

    def __init__(
        self,
        composition: Composition,
        words: FilmWords,
        labels: Sequence[str],
        picture: tuple[int, int],
    ) -> None:
        self._composition, self._words = composition, words
        self._labels, self._points = [*labels], len(labels)
        size, panel_px = composition.size, panel_height(words, composition.size)
        asked = composition.kind, len(labels), size, picture[0] / picture[1], panel_px
        found = arrange(*asked, columns=composition.columns, labelled=any(labels))
        self._label_px = self._fit_labels(found)
        if self._label_px is None and found.labels:
            found = arrange(*asked, columns=composition.columns, labelled=False)
        self._panel = TextPanel(words, found.panel, size)
        packing = Packing()
        self._pieces: list[Piece] = []
        shown = 1 if composition.kind == MAP else len(labels)
        self._pictures = [packing.add(*picture) for _ in range(shown)]
        self._map: LitMap | None = None
        self._texts: list[tuple[Slot, np.ndarray]] = []
        self._place(found, packing)
        self._panel_slot = packing.add(found.panel.width, found.panel.height)
        self._pieces.append(Placed(self._panel_slot, found.panel))
        self.shape = packing.shape
        self._pixels = np.zeros(self.shape, np.uint8)
        for slot, drawn in self._texts:
            self._pixels[slot.area] = drawn

    def _place(self, found: FrameArrangement, packing: Packing) -> None:
        """Give everything but the text of the film its place."""
        kind, size = self._composition.kind, self._composition.size
        if kind == STRIP:
            for row in found.rows:
                self._pieces.append(self._scrolled(row, found, packing))
            return
        if kind == WIPE:
            self._mask = packing.add(found.cells[0].width, MASK_ROWS)
            left, right = self._pictures
            self._pieces.append(Wiped(left, right, self._mask, found.cells[0]))
            for label in found.labels:
                self._write_label(label, self._labels, packing)
            return
        cells = found.cells
        if kind == MAP:
            cell = cells[1]
            side = min(cell.width, cell.height)
            self._map = LitMap(self._composition, side, scaled(LABEL, size))
            self._map_slot = packing.add(side, side)
            self._pieces.append(Placed(self._map_slot, Rectangle(cell.x, cell.y, side, side)))
            if found.labels:
                label = found.labels[0]
                self._map_labels = [self._label(label, [text]) for text in self._labels]
                self._label_slot = packing.add(label.width, label.height)
                self._pieces.append(Placed(self._label_slot, label))
            cells = cells[:1]
        self._pieces += [Placed(*pair) for pair in zip(self._pictures, cells, strict=True)]
        if kind != MAP:
            for text, label in zip(self._labels, found.labels, strict=False):
                self._write_label(label, [text], packing)

    def _scrolled(self, row: Row, found: FrameArrangement, packing: Packing) -> Scrolled:
        """A row of a strip."""
        cells = tuple(self._pictures[point] for point in row.points)
        labels: list[Slot] = []
        label_px = found.labels[0].height if found.labels else 0
        for point in row.points if label_px else ():
            slot = packing.add(row.cell.width, label_px)
            labels.append(slot)
            drawn = self._label(Rectangle(0, 0, *slot[2:]), [self._labels[point]])
            self._texts.append((slot, drawn))
        step = max(2, even(row.pitch / (CELL_S * self._words.fps) + 1))
        inset = scaled(MARGIN, self._composition.size)
        return Scrolled(row, cells, tuple(labels), label_px, step, inset)

    def _fit_labels(self, found: FrameArrangement) -> int | None:
        """The size in which all labels have room; None where some have none."""
        size = self._composition.size
        sizes = []
        for text, place in zip(self._labels, cycle(found.labels or ())):
            room = place.width // 2 if self._composition.kind == WIPE else place.width
            sizes.append(
                fitting_size(text, room, scaled(LABEL_TEXT, size), scaled(LEAST_LABEL, size))
            )
        known = [each for each in sizes if each is not None]
        return min(known) if known and len(known) == len(sizes) else None

    def _label(self, place: Rectangle, texts: Sequence[str]) -> np.ndarray:
        """A label, or two of them at both ends of a place."""
        drawn, text_px = blank(place.width, place.height), self._label_px
        assert text_px is not None, "labels without room are left out"
        baseline = round(1.15 * text_px)
        write(drawn, texts[0], (0, baseline), text_px)
        for text in texts[1:]:
            left = place.width - text_width(text, text_px)
            write(drawn, text, (left, baseline), text_px)
        return drawn

    def _write_label(self, place: Rectangle, texts: Sequence[str], packing: Packing) -> None:
        slot = packing.add(place.width, place.height)
        self._texts.append((slot, self._label(place, texts)))
        self._pieces.append(Placed(slot, place))

    def draw(self, position: int, number: int, pictures: np.ndarray) -> np.ndarray:
        """Pack one frame.

        Args:
            position: of the frame in the whole film, from 0.
            number: the batch that it shows.
            pictures: uint8 [points, height, width, 3].

        Returns:
            uint8 of `shape`, valid until the next call.
        """
        if self._map is not None:
            lit = self._lit_point(position)
            self._pixels[self._map_slot.area] = self._map.draw(lit)
            pictures = pictures[lit : lit + 1]
            if self._label_px is not None:
                self._pixels[self._label_slot.area] = self._map_labels[lit]
        for slot, picture in zip(self._pictures, pictures, strict=True):
            self._pixels[slot.area] = picture
        if self._composition.kind == WIPE:
            self._pixels[self._mask.area] = self._wipe_mask(position)
        self._pixels[self._panel_slot.area] = self._panel.draw(position, number)
        return self._pixels

    def _wipe_mask(self, position: int) -> np.ndarray:
        """The line begins in the middle, and goes to the right, to the left, and back."""
        turn = 2 * math.pi * position / (WIPE_S * self._words.fps)
        edge = self._mask.width * (0.5 + WIPE_SHARE * math.sin(turn))
        return wipe_mask(self._mask.width, edge, scaled(WIPE_LINE, self._composition.size))

    def _lit_point(self, position: int) -> int:
        """The number of the point that a map shows at a frame; the whole film shows each as often.

        Short films show as many as there is time for.
        """
        seconds = self._words.frames / self._words.fps
        rounds = max(1, round(seconds / (SHOWN_S * self._points)))
        turns = min(rounds * self._points, max(1, round(seconds)))
        turn = min(position * turns // max(1, self._words.frames), turns - 1)
        return turn % self._points

    def filters(self, pixel_format: str, first: int) -> str:
        """The filters of ffmpeg that lay out packed frames.

        Args:
            pixel_format: ffmpeg's name of the result; the packed frame is rgb24.
            first: the number in the film of the first frame that is fed to them.
        """
        composition = self._composition
        graph = FrameGraph(composition.size, composition.scaling, pixel_format, first)
        return graph.draw(self._pieces)
