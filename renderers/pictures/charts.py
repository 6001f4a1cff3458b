"""Curves over one axis, one panel below another, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from renderers.errors import RenderError
from renderers.pictures.sheets import PAPER

WIDTH_PX, PANEL_PX = 900, 190
LEFT_PX, RIGHT_PX, TOP_PX, LINE_PX = 76, 24, 34, 26
TEXT_PX = 14
SUPERSAMPLING = 3  # Lines are drawn this many times as large, then averaged.
QUIET, GRID, LINE = (90, 90, 94), (226, 224, 218), (176, 66, 42)


@dataclass(frozen=True)
class Panel:
    """One curve with an axis of its own; what is not finite is left out.

    Args:
        title: what it shows.
        x, y: float [N]; x ascends.
        written: how a value of the axis is written.
        marked: whether each value has a dot.
    """

    title: str
    x: np.ndarray
    y: np.ndarray
    written: str = "{:.2f}"
    marked: bool = False


def draw_charts(
    panels: Sequence[Panel], span: tuple[float, float], title: str, footer: str = ""
) -> np.ndarray:
    """Draw panels over one span, the first one on top.

    Args:
        span: the first and the last x of all panels.
        title, footer: a line above all, and one below.

    Returns:
        uint8 [height, WIDTH_PX, 3].

    Raises:
        RenderError: there is nothing to draw.
    """
    shown = [panel for panel in panels if np.isfinite(panel.y).any()]
    if not shown:
        raise RenderError("Nothing to draw: no value is a number.")
    height = TOP_PX + len(shown) * (PANEL_PX + LINE_PX) + LINE_PX * (1 + bool(footer))
    scale = SUPERSAMPLING
    lines = Image.new("RGB", (WIDTH_PX * scale, height * scale), PAPER)
    tops = [TOP_PX + LINE_PX + i * (PANEL_PX + LINE_PX) for i in range(len(shown))]
    ranges = [_range_of(panel.y) for panel in shown]
    for panel, top, limits in zip(shown, tops, ranges, strict=True):
        _draw_panel(ImageDraw.Draw(lines), panel, span, top, limits)
    picture = lines.resize((WIDTH_PX, height), Image.Resampling.BOX)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(TEXT_PX)
    pen.text((LEFT_PX, TOP_PX / 2), title, QUIET, ImageFont.load_default(TEXT_PX + 2), "lm")
    for panel, top, limits in zip(shown, tops, ranges, strict=True):
        pen.text((LEFT_PX, top - 4), panel.title, QUIET, font, "ls")
        for value, y in zip(limits, (top + PANEL_PX - LINE_PX, top), strict=True):
            pen.text((LEFT_PX - 8, y), panel.written.format(value), QUIET, font, "rm")
    below = tops[-1] + PANEL_PX - LINE_PX + 8
    for share, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
        at = span[0] + share * (span[1] - span[0])
        x = LEFT_PX + share * (WIDTH_PX - LEFT_PX - RIGHT_PX)
        pen.text((x, below), f"{at:,.0f}", QUIET, font, anchor)
    pen.text((LEFT_PX, height - LINE_PX / 2), footer, QUIET, font, "lm")
    return np.asarray(picture)


def _range_of(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _draw_panel(
    pen: ImageDraw.ImageDraw,
    panel: Panel,
    span: tuple[float, float],
    top: int,
    limits: tuple[float, float],
) -> None:
    """The curve and the lines of its axis, enlarged by SUPERSAMPLING."""
    scale, room = SUPERSAMPLING, PANEL_PX - LINE_PX
    for share in (0.0, 0.5, 1.0):
        y = (top + share * room) * scale
        pen.line([(LEFT_PX * scale, y), ((WIDTH_PX - RIGHT_PX) * scale, y)], GRID, scale)
    known = np.isfinite(panel.y)
    width = (span[1] - span[0]) or 1.0
    across = (panel.x[known] - span[0]) / width * (WIDTH_PX - LEFT_PX - RIGHT_PX)
    up = (panel.y[known] - limits[0]) / (limits[1] - limits[0]) * room
    points = [
        ((LEFT_PX + float(x)) * scale, (top + room - float(y)) * scale)
        for x, y in zip(across, up, strict=True)
    ]
    pen.line(points, LINE, 2 * scale, joint="curve")
    for x, y in points if panel.marked or len(points) == 1 else ():
        radius = 3.5 * scale
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), LINE)
