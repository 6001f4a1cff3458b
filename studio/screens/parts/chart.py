"""Curves and bands over batches or time as SVG, which takes the page's colours.

What is hovered or focused on a chart, its marks, lies over the drawing as markup: text wraps there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np

from studio.screens.parts import markup

WIDTH, HEIGHT = 430, 220
LEFT, RIGHT, TOP, BOTTOM = 42, 6, 8, 22
MOST_POINTS = 400
MOST_BAND_POINTS = 150  # of each border between two bands
SMOOTHING = 0.03  # of the curve's length
TICKS = 4  # about so many stand beside a linear axis
MOST_DECADES = 6  # that are written beside a logarithmic axis


@dataclass(frozen=True)
class Curve:
    """A line of a chart; values that are not finite are left out.

    Args:
        colour: name of a CSS variable.
        x: float [N], ascending.
        y: float [N].
    """

    title: str
    colour: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Mark:
    """Something that happened at a place along the chart; `kind` decides its colour."""

    at: float
    kind: str
    text: str


@dataclass(frozen=True)
class Span:
    """What lies along the chart: from where to where, and how a place is written."""

    first: float
    last: float
    write: Callable[[float], str]

    @classmethod
    def of_batches(cls, first: float, last: float) -> Span:
        return cls(first, last, lambda batch: f"batch {batch:,.0f}")

    @classmethod
    def of_seconds(cls, first: float, last: float) -> Span:
        return cls(first, last, markup.duration)

    def share(self, x: np.ndarray) -> np.ndarray:
        """0 where the chart begins, 1 where it ends."""
        return (x - self.first) / max(self.last - self.first, 1e-9)

    def place(self, x: np.ndarray) -> np.ndarray:
        return LEFT + self.share(x) * (WIDTH - LEFT - RIGHT)


@dataclass(frozen=True)
class Scale:
    """What stands upright: values from low to high, cut off beyond."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, values: np.ndarray, log: bool) -> Scale:
        """All values on a logarithmic scale; else nearly all, so that one spike hides nothing.

        Args:
            values: float [N], finite, at least one; positive for a logarithmic scale.
        """
        if log:
            low, high = float(values.min()), float(values.max())
            return cls(low / 1.2, high * 1.2, log=True)
        low, high = np.percentile(values, [1, 99])
        room = 0.1 * (high - min(low, 0.0))
        return cls(float(low - room) if low < 0 else 0.0, max(float(high + room), 1e-9))

    def place(self, y: np.ndarray) -> np.ndarray:
        value = np.log(np.clip(y, 1e-12, None)) if self.log else y
        low, high = np.log([self.low, self.high]) if self.log else (self.low, self.high)
        return TOP + (1 - np.clip((value - low) / (high - low), 0, 1)) * (HEIGHT - TOP - BOTTOM)

    def ticks(self) -> list[float]:
        if not self.log:
            step = _round_step((self.high - self.low) / TICKS)
            return list(np.arange(np.ceil(self.low / step), self.high // step + 1) * step)
        powers = np.arange(np.ceil(np.log10(self.low)), np.floor(np.log10(self.high)) + 1)
        step = -(-len(powers) // MOST_DECADES)
        return [10.0**power for power in powers[:: step or 1]] or [self.low, self.high]


def _round_step(size: float) -> float:
    """The next larger of 1, 2, 2.5, 5 and 10 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(size))
    return float(next(m for m in (1, 2, 2.5, 5, 10, 20) if m * power >= size * 0.999) * power)


def draw_curves(
    curves: Sequence[Curve],
    span: Span,
    label: str,
    marks: Sequence[Mark] = (),
    log: bool = False,
    rough: bool = True,
    smoothed: bool = True,
) -> str:
    """Curves over one span; empty where no value is finite.

    Args:
        label: what a screen reader says of the chart.
        log: a logarithmic scale, on which what is 0 or less has no place.
        rough: draw all values, faintly where smoothed ones are drawn, too.
        smoothed: draw a mean over neighbours.
    """
    known = [_drawable(curve, log) for curve in curves]
    known = [curve for curve in known if len(curve.y)]
    if not known:
        return ""
    scale = Scale.around(np.concatenate([curve.y for curve in known]), log)
    lines = "".join(_line(curve, span, scale, rough, smoothed) for curve in known)
    return _frame(_axes(span, scale) + lines, span, label, marks) + _legend(known)


def draw_bands(bands: Sequence[Curve], span: Span, label: str, marks: Sequence[Mark] = ()) -> str:
    """Shares of a whole over one span, stacked from 0 to 100 %; empty where nothing is known.

    Args:
        bands: of the same x; each y is that band's part, 0 or more.
    """
    parts = np.array([_smoothed(band.y) for band in bands])
    whole = parts.sum(axis=0)
    known = np.isfinite(whole) & (whole > 0)
    if not known.any():
        return ""
    tops = np.cumsum(100 * parts[:, known] / whole[known], axis=0)
    scale, x = Scale(0, 100), span.place(bands[0].x[known])
    chosen = _evenly(len(x), MOST_BAND_POINTS)
    floors = np.vstack([np.zeros_like(tops[:1]), tops[:-1]])
    areas = "".join(
        _area(x[chosen], scale.place(top[chosen]), scale.place(floor[chosen]), band.colour)
        for band, top, floor in zip(bands, tops, floors, strict=True)
    )
    return _frame(areas + _axes(span, scale, " %"), span, label, marks) + _legend(bands)


def _drawable(curve: Curve, log: bool) -> Curve:
    kept = np.isfinite(curve.y) & (curve.y > 0 if log else True)
    return Curve(curve.title, curve.colour, curve.x[kept], curve.y[kept])


def _line(curve: Curve, span: Span, scale: Scale, rough: bool, smoothed: bool) -> str:
    drawn = ""
    if rough:
        chosen = _extremes(curve.y)
        x, y = span.place(curve.x[chosen]), scale.place(curve.y[chosen])
        drawn += _path(x, y, curve.colour, "faint" if smoothed else "")
    if smoothed:
        chosen = _evenly(len(curve.y))
        x, y = span.place(curve.x[chosen]), scale.place(_smoothed(curve.y)[chosen])
        drawn += _path(x, y, curve.colour, "")
    return drawn


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A centred mean, over a shorter window at the ends; what is not finite does not count."""
    half = round(len(values) * SMOOTHING)
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    low = np.clip(np.arange(len(values)) - half, 0, None)
    high = np.clip(np.arange(len(values)) + half + 1, None, len(values))
    number = counts[high] - counts[low]
    return np.where(number > 0, (sums[high] - sums[low]) / np.maximum(number, 1), np.nan)


def _evenly(count: int, most: int = MOST_POINTS) -> np.ndarray:
    """Places to draw of so many: all, or as many as can be told apart."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))


def _extremes(values: np.ndarray) -> np.ndarray:
    """Places to draw so that no spike is lost: the lowest and the highest of each stretch."""
    if len(values) <= MOST_POINTS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), MOST_POINTS // 2 + 1).astype(int)
    stretches = [(a, values[a:b]) for a, b in pairwise(edges)]
    lows = [first + stretch.argmin() for first, stretch in stretches]
    highs = [first + stretch.argmax() for first, stretch in stretches]
    return np.unique(lows + highs)


def _path(x: np.ndarray, y: np.ndarray, colour: str, kind: str) -> str:
    # A curve of one value is a dot: a line to itself has a round end.
    end = " h 0" if len(x) == 1 else ""
    return f'<path class="{kind}" style="stroke:var({colour})" d="M {_steps(x, y)}{end}"/>'


def _area(x: np.ndarray, top: np.ndarray, floor: np.ndarray, colour: str) -> str:
    around = f"M {_steps(x, top)} L {_steps(x[::-1], floor[::-1])} Z"
    return f'<path class="band" style="fill:var({colour})" d="{around}"/>'


def _steps(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{px:.1f} {py:.1f}" for px, py in zip(x, y, strict=True))


def _frame(drawing: str, span: Span, label: str, marks: Sequence[Mark]) -> str:
    shown = "".join(_mark(mark, float(span.share(np.array(mark.at)))) for mark in marks)
    return (
        f'<div class="plot"><svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{drawing}</svg>{shown}</div>'
    )


def _mark(mark: Mark, share: float) -> str:
    """A line across the chart that tells what happened when it is pointed at or focused."""
    if not 0 <= share <= 1:
        return ""
    left = 100 * (LEFT + share * (WIDTH - LEFT - RIGHT)) / WIDTH
    side = " left" if share > 0.5 else ""
    text = escape(mark.text)
    return (
        f'<span class="mark {escape(mark.kind)}{side}" style="left:{left:.2f}%" tabindex="0" '
        f'role="note" aria-label="{text}"><span class="said">{text}</span></span>'
    )


def _axes(span: Span, scale: Scale, unit: str = "") -> str:
    parts = []
    for value, y in zip(scale.ticks(), scale.place(np.array(scale.ticks())), strict=True):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_text(LEFT - 6, y + 4, f"{value:.3g}{unit}", "end"))
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x = LEFT + share * (WIDTH - LEFT - RIGHT)
        place = span.first + share * (span.last - span.first)
        parts.append(_text(x, HEIGHT - 6, span.write(place), anchor))
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(curves: Sequence[Curve]) -> str:
    entries = (
        f'<span style="--colour:var({curve.colour})">{escape(curve.title)}</span>'
        for curve in curves
    )
    return f'<div class="legend">{"".join(entries)}</div>'
