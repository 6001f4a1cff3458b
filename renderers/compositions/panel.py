"""The text of a composed frame: run, batch, a thin line of progress, and the attribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from renderers.compositions.arrangement import (
    ALIGNED,
    BESIDE,
    MARGIN,
    ROOMY,
    Rectangle,
    scaled,
)
from renderers.compositions.typeface import (
    BRIGHT,
    FAINT,
    QUIET,
    NumberLine,
    blank,
    fitting_size,
    text_width,
    wrap_text,
    write,
)
from renderers.pictures.frame_layout import Size
from renderers.pictures.sheets import INK

# Heights for frames of UNIT_PX: of text, of the batch where it is large, of the attribution.
TEXT, LARGE_NUMBER, SMALL_PRINT = 38, 150, 28
LEAST_TEXT = 18  # A text that has no room in this size gets a line of its own, or is wrapped.
LINE = 4  # Of progress.
COMPACT, EXTRA_LINE = 72, 42  # Of a text in one line, and of one more.
ATTRIBUTION_S, FADE_S = 4.0, 0.4  # The attribution stands in so many of the last seconds.


@dataclass(frozen=True)
class FilmWords:
    """What is written on every frame of a composed film.

    Args:
        run: the name of the run.
        attribution: what is owed to those whose data it shows; may be empty.
        largest: the largest batch, which gives the number its room.
        frames: of the whole film.
        fps: frames a second.
        counted: what the numbers count.
    """

    run: str
    attribution: str
    largest: int
    frames: int
    fps: float
    counted: str = "batch"


def panel_height(words: FilmWords, size: Size) -> int:
    """The least height of the text below pictures in a frame of a size, in pixels."""
    narrowest = round(ALIGNED * (size[0] - 2 * scaled(MARGIN, size)))
    lines = not _is_one_line(words, size, narrowest)
    return scaled(COMPACT + lines * EXTRA_LINE, size)


def _is_one_line(words: FilmWords, size: Size, width: int) -> bool:
    """Whether run, attribution and batch have room beside each other."""
    text, small = scaled(TEXT, size), scaled(SMALL_PRINT, size)
    number = text_width(f"{words.counted}  {words.largest:,}", text)
    side = max(text_width(words.run, text), number)
    return 2 * side + text_width(words.attribution, small) + 3 * text <= width


class TextPanel:
    """Draws the text of each frame into its place.

    Args:
        place: where it lies in the frame; large ones are set larger.
        size: of the frame.

    Attributes:
        picture: uint8 [height, width, 3], as `draw` left it.
    """

    _credit_x: int
    _word: np.ndarray | None  # The word before the number; None where it stands above it.

    def __init__(self, words: FilmWords, place: Rectangle, size: Size) -> None:
        self._words, self._size = words, size
        self.picture = blank(place.width, place.height)
        is_large = place.height >= scaled(ROOMY, size) and place.width >= scaled(BESIDE, size)
        (self._set_large if is_large else self._set_compact)()
        self._credit = self.picture[slice(*self._credit_rows)].copy()
        self._draw_credit()

    def _set_compact(self) -> None:
        """The line on top, then run, attribution and batch in one line, or in two."""
        height, width, _ = self.picture.shape
        text = scaled(TEXT, self._size)
        one_line = height < scaled(COMPACT + EXTRA_LINE, self._size)
        self._line_top = 0
        number_w = text_width(f"{self._words.counted}  {self._words.largest:,}", text)
        run_px = fitting_size(
            self._words.run, width - number_w - text, text, scaled(LEAST_TEXT, self._size)
        )
        baseline = scaled(LINE, self._size) + round(1.35 * text)
        if run_px is not None:
            write(self.picture, self._words.run, (0, baseline), run_px)
        self._numbers = NumberLine(text, self._words.largest)
        self._number_top = baseline - self._numbers.ascent
        self._word = blank(text_width(self._words.counted, text) + text // 3, self._numbers.height)
        write(self._word, self._words.counted, (0, self._numbers.ascent), text)
        small = scaled(SMALL_PRINT, self._size)
        self._credit_px, self._credit_lines = small, [self._words.attribution]
        self._credit_base = baseline if one_line else baseline + scaled(EXTRA_LINE, self._size)
        self._credit_rows = (
            (baseline - text, height) if one_line else (baseline + text // 3, height)
        )
        self._credit_x, self._credit_anchor = (width // 2, "ms") if one_line else (0, "ls")
        if not one_line:
            fitting = fitting_size(self._words.attribution, width, small, small // 2)
            self._credit_px = fitting or small // 2

    def _set_large(self) -> None:
        """The run on top, and at the foot a large number over the line and the attribution."""
        height, width, _ = self.picture.shape
        text, small = scaled(TEXT, self._size), scaled(SMALL_PRINT, self._size)
        least = scaled(LEAST_TEXT, self._size)
        run_px = fitting_size(self._words.run, width, text, least)
        self._credit_px, self._credit_x, self._credit_anchor = small, 0, "ls"
        self._credit_lines = wrap_text(self._words.attribution, width, small)
        foot = height - round(small * 0.4) - round(1.35 * small) * max(1, len(self._credit_lines))
        self._line_top = foot - round(0.6 * small) - scaled(LINE, self._size)
        self._credit_base = foot + round(1.05 * small)
        self._credit_rows = foot, height
        room = self._line_top - round(2.6 * text) - round(1.6 * text)
        tallest = min(scaled(LARGE_NUMBER, self._size), room)
        written = f"{self._words.largest:,}"
        number_px = fitting_size(written, width, max(tallest, text), text) or text
        while number_px > text and NumberLine(number_px, self._words.largest).width > width:
            number_px -= 2
        self._numbers = NumberLine(number_px, self._words.largest)
        self._number_top = self._line_top - round(0.45 * text) - self._numbers.height
        self._word = None
        above = self._number_top - round(0.25 * text)
        write(self.picture, self._words.counted, (0, above), text)
        if run_px is not None:
            write(self.picture, self._words.run, (0, round(0.85 * text)), run_px, BRIGHT)

    def draw(self, position: int, number: int) -> np.ndarray:
        """The picture of one frame: `picture`, which the next call changes.

        Args:
            position: of the frame in the whole film, from 0.
            number: the batch that it shows.
        """
        self._draw_line(position)
        self._draw_number(number)
        opacity = self._credit_opacity(position)
        if opacity or position == 0:
            first, end = self._credit_rows
            mixed = self._credit + opacity * (self._credited - self._credit.astype(np.float32))
            self._show_credit(slice(first, end), mixed.astype(np.uint8))
        return self.picture

    def _draw_number(self, number: int) -> None:
        """At the left where it is large; else at the right, behind its word."""
        digits = self._numbers.draw(number)
        rows = self.picture[self._number_top : self._number_top + self._numbers.height]
        if self._word is None:
            rows[:, : self._numbers.width] = INK
            rows[:, : digits.shape[1]] = digits
            return
        drawn = np.hstack([self._word, digits])
        rows[:, -self._numbers.width - self._word.shape[1] :] = INK
        rows[:, -drawn.shape[1] :] = drawn

    def _draw_credit(self) -> None:
        """What the last seconds show where the attribution stands, float32."""
        drawn = self._credit.copy()
        first, pitch = self._credit_rows[0], round(1.35 * self._credit_px)
        for i, line in enumerate(self._credit_lines):
            place = (self._credit_x, self._credit_base - first + i * pitch)
            write(drawn, line, place, self._credit_px, QUIET, self._credit_anchor)
        changed = (drawn != self._credit).any(axis=(0, 2)).nonzero()[0]
        self._credit_columns = slice(changed[0], changed[-1] + 1) if len(changed) else slice(0, 0)
        self._credited = drawn.astype(np.float32)

    def _show_credit(self, rows: slice, mixed: np.ndarray) -> None:
        self.picture[rows, self._credit_columns] = mixed[:, self._credit_columns]

    def _credit_opacity(self, position: int) -> float:
        begins = self._words.frames - round(ATTRIBUTION_S * self._words.fps)
        return min(1.0, max(0.0, (position - begins + 1) / max(1.0, FADE_S * self._words.fps)))

    def _draw_line(self, position: int) -> None:
        """A line as wide as the panel, whose played part is bright; its end moves smoothly."""
        width = self.picture.shape[1]
        rows = slice(self._line_top, self._line_top + scaled(LINE, self._size))
        played = width * (position / max(1, self._words.frames - 1))
        share = np.clip(played - np.arange(width), 0, 1)[:, None]
        colours = np.asarray(FAINT) + share * (np.asarray(BRIGHT) - np.asarray(FAINT))
        self.picture[rows] = np.rint(colours).astype(np.uint8)
