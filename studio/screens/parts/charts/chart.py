"""Curves and bands over batches or time, as SVG that takes the page's colours.

Marks of what happened lie over the drawing as markup, since text wraps there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from studio.screens.parts.charts.readout import ReadCurve, write_readout
from studio.screens.parts.charts.scales import HEIGHT, LEFT, RIGHT, WIDTH, Scale, Span
from studio.screens.parts.markup import NOTHING, join

MAX_CURVE_POINTS = 400
MAX_BAND_POINTS = 150  # Points of each border between two bands.
MAX_VALUE = 1e100  # Values beyond are drawn as this one; their sums would not be finite.
SMOOTHING = 0.03  # Half of the window of the mean, as a fraction of the curve's length.


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


def draw_curves(
    curves: Sequence[Curve],
    span: Span,
    label: str,
    marks: Sequence[Mark] = (),
    log: bool = False,
    rough: bool = True,
    smoothed: bool = True,
) -> Markup:
    """Draw curves over one span.

    Args:
        label: what a screen reader says of the chart.
        log: a logarithmic scale, on which what is 0 or less has no place.
        rough: draw all values, faintly where smoothed ones are drawn, too.
        smoothed: draw a mean over neighbours.

    Returns:
        The chart and its legend; empty where no value is finite.
    """
    known = [_drawable(curve, log) for curve in curves]
    known = [curve for curve in known if len(curve.y)]
    if not known:
        return NOTHING
    scale = Scale.covering(np.concatenate([curve.y for curve in known]), log)
    read = [
        ReadCurve(c.title, c.colour, c.x, c.y, _smoothed(c.y) if smoothed else None) for c in known
    ]
    lines = join(_line(curve, span, scale, rough) for curve in read)
    return _frame(_axes(span, scale) + lines, span, label, marks, read) + _legend(known)


def draw_bands(
    bands: Sequence[Curve], span: Span, label: str, marks: Sequence[Mark] = ()
) -> Markup:
    """Draw parts of a whole over one span, stacked from 0 to 100 %.

    Args:
        bands: all with the same x; each y is that band's part, 0 or more.
        label: what a screen reader says of the chart.

    Returns:
        The chart and its legend; empty where nothing is known.
    """
    parts = np.array([_smoothed(band.y) for band in bands])
    whole = parts.sum(axis=0)
    known = np.isfinite(whole) & (whole > 0)
    if not known.any():
        return NOTHING
    parts = 100 * parts[:, known] / whole[known]
    tops = np.cumsum(parts, axis=0)
    scale, x = Scale(0, 100), span.place(bands[0].x[known])
    chosen = _evenly(len(x), MAX_BAND_POINTS)
    floors = np.vstack([np.zeros_like(tops[:1]), tops[:-1]])
    areas = join(
        _area(x[chosen], scale.place(top[chosen]), scale.place(floor[chosen]), band.colour)
        for band, top, floor in zip(bands, tops, floors, strict=True)
    )
    read = [
        ReadCurve(band.title, band.colour, bands[0].x[known], part, unit=" %")
        for band, part in zip(bands, parts, strict=True)
    ]
    return _frame(areas + _axes(span, scale, " %"), span, label, marks, read) + _legend(bands)


def _drawable(curve: Curve, log: bool) -> Curve:
    kept = np.isfinite(curve.y) & (curve.y > 0 if log else True)
    y = np.clip(curve.y[kept], -MAX_VALUE, MAX_VALUE)
    return Curve(curve.title, curve.colour, curve.x[kept], y)


def _line(curve: ReadCurve, span: Span, scale: Scale, rough: bool) -> Markup:
    drawn = NOTHING
    if rough:
        chosen = _extremes(curve.y)
        x, y = span.place(curve.x[chosen]), scale.place(curve.y[chosen])
        drawn += _path(x, y, curve.colour, "" if curve.mean is None else "faint")
    if curve.mean is not None:
        chosen = _evenly(len(curve.y), MAX_CURVE_POINTS)
        x, y = span.place(curve.x[chosen]), scale.place(curve.mean[chosen])
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


def _evenly(count: int, limit: int) -> np.ndarray:
    """Indices of the points to draw: all of them, or as many as the limit allows."""
    return np.unique(np.linspace(0, count - 1, min(limit, count)).round().astype(int))


def _extremes(values: np.ndarray) -> np.ndarray:
    """Indices that lose no spike: the lowest and the highest value of each stretch."""
    if len(values) <= MAX_CURVE_POINTS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), MAX_CURVE_POINTS // 2 + 1).astype(int)
    stretches = [(a, values[a:b]) for a, b in pairwise(edges)]
    lows = [first + stretch.argmin() for first, stretch in stretches]
    highs = [first + stretch.argmax() for first, stretch in stretches]
    return np.unique(lows + highs)


def _path(x: np.ndarray, y: np.ndarray, colour: str, kind: str) -> Markup:
    # A curve of one value is a dot: a line to itself has a round end.
    end = " h 0" if len(x) == 1 else ""
    drawn = Markup('<path class="{}" style="stroke:var({})" d="M {}{}"/>')
    return drawn.format(kind, colour, _steps(x, y), end)


def _area(x: np.ndarray, top: np.ndarray, floor: np.ndarray, colour: str) -> Markup:
    drawn = Markup('<path class="band" style="fill:var({})" d="M {} L {} Z"/>')
    return drawn.format(colour, _steps(x, top), _steps(x[::-1], floor[::-1]))


def _steps(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{px:.1f} {py:.1f}" for px, py in zip(x, y, strict=True))


def _frame(
    drawing: Markup, span: Span, label: str, marks: Sequence[Mark], read: Sequence[ReadCurve]
) -> Markup:
    fractions = [float(span.fraction(np.array(mark.at))) for mark in marks]
    shown = join(_mark(mark, at) for mark, at in zip(marks, fractions, strict=True) if 0 <= at <= 1)
    return Markup(
        '<div class="plot" data-left="{:.4f}" data-right="{:.4f}" data-readout="{}" tabindex="0" '
        'role="group" aria-label="{}. Arrow keys read its values.">'
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>{}</div>'
    ).format(
        LEFT / WIDTH,
        1 - RIGHT / WIDTH,
        write_readout(read, span),
        label,
        WIDTH,
        HEIGHT,
        label,
        drawing,
        shown,
    )


def _mark(mark: Mark, fraction: float) -> Markup:
    """A line across the chart that tells what happened when it is pointed at or focused."""
    return Markup(
        '<span class="mark {kind}{side}" style="left:{left:.2f}%" tabindex="0" '
        'role="note" aria-label="{text}"><span class="said">{text}</span></span>'
    ).format(
        kind=mark.kind,
        side=" left" if fraction > 0.5 else "",
        left=100 * (LEFT + fraction * (WIDTH - LEFT - RIGHT)) / WIDTH,
        text=mark.text,
    )


def _axes(span: Span, scale: Scale, unit: str = "") -> Markup:
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>')
    axes, ticks = NOTHING, scale.ticks()
    for value, y in zip(ticks, scale.place(np.array(ticks)), strict=True):
        axes += line.format(LEFT, WIDTH - RIGHT, y=y)
        axes += _text(LEFT - 6, y + 4, f"{value:.3g}{unit}", "end")
    for fraction, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x = LEFT + fraction * (WIDTH - LEFT - RIGHT)
        at = span.first + fraction * (span.last - span.first)
        axes += _text(x, HEIGHT - 6, span.write(at), anchor)
    return axes


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    drawn = Markup('<text x="{:.0f}" y="{:.0f}" text-anchor="{}">{}</text>')
    return drawn.format(x, y, anchor, text)


def _legend(curves: Sequence[Curve]) -> Markup:
    entry = Markup('<span style="--colour:var({})">{}</span>')
    entries = join(entry.format(curve.colour, curve.title) for curve in curves)
    return Markup('<div class="legend">{}</div>').format(entries)
