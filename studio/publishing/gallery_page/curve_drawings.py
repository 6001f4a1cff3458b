"""Curves of a run as SVG in a page, in the colours of the page, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from studio.films.stills.run_curves import (
    LEAST_VALUES,
    RunCurve,
    metric_values,
    smooth_values,
)

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BELOW = 640, 200, 72, 12, 14, 28
CLASSES = ("first", "second", "third", "fourth")  # Of the lines, whose colours the page has.

SINGLE = ("third",)  # Of a line that has its panel for itself.


def draw_page_curves(
    curves: Sequence[RunCurve], metrics: Sequence[Mapping[str, Any]], marks: Sequence[int]
) -> Markup:
    """A figure for each panel that has values; nothing where none has.

    Args:
        curves: those that there may be.
        metrics: of the run.
        marks: batches of alarms, which are marked.
    """
    return Markup().join(
        figure for curve in curves if (figure := _draw_figure(curve, metrics, marks))
    )


def _draw_figure(
    curve: RunCurve, metrics: Sequence[Mapping[str, Any]], marks: Sequence[int]
) -> Markup:
    known = [(called, metric_values(metrics, name)) for name, called, _ in curve.series]
    known = [(called, values) for called, values in known if len(values) >= LEAST_VALUES]
    if not known:
        return Markup()
    smooth = [(called, smooth_values(values)) for called, values in known]
    every = np.concatenate([values for _, values in smooth])
    (first, low), (last, high) = every.min(0), every.max(0)
    span, room = max(last - first, 1.0), (high - low) or 1.0
    lines, legend = Markup(), Markup()
    styles = CLASSES if len(smooth) > 1 else SINGLE
    for style, (called, values) in zip(styles, smooth, strict=False):
        x = LEFT + (values[:, 0] - first) / span * (WIDTH - LEFT - RIGHT)
        y = TOP + (high - values[:, 1]) / room * (HEIGHT - TOP - BELOW)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        lines += Markup('<polyline class="curve {}" points="{}"/>').format(style, points)
        if called:
            legend += Markup('<span class="key {}">{}</span>').format(style, called)
    for batch in marks:
        if first <= batch <= last:
            x_mark = f"{LEFT + (batch - first) / span * (WIDTH - LEFT - RIGHT):.1f}"
            lines += Markup('<line class="mark" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
                x_mark, TOP, HEIGHT - BELOW
            )
    told = f"{curve.title}, batch {first:,.0f} to {last:,.0f}, from {low:.3g} to {high:.3g}"
    return Markup(
        '<figure class="panel"><figcaption>{}<span class="keys">{}</span></figcaption>'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg></figure>'
    ).format(curve.title, legend, WIDTH, HEIGHT, told, _draw_axes(first, last, low, high), lines)


def _draw_axes(first: float, last: float, low: float, high: float) -> Markup:
    text = Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>')
    line = Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>')
    drawn = Markup()
    for share, value in ((0.0, high), (0.5, (low + high) / 2), (1.0, low)):
        y = TOP + share * (HEIGHT - TOP - BELOW)
        drawn += line.format(LEFT, WIDTH - RIGHT, f"{y:.1f}", f"{y:.1f}")
        drawn += text.format(LEFT - 8, f"{y + 4:.1f}", "end", f"{value:.3g}")
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x = LEFT + share * (WIDTH - LEFT - RIGHT)
        batch = first + share * (last - first)
        drawn += text.format(f"{x:.1f}", HEIGHT - 8, anchor, f"{batch:,.0f}")
    return drawn
