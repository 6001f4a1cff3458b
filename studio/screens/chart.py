"""Curves of a run's losses as SVG, which takes the page's colours and redraws without flicker."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

CURVES = (
    ("d_real", "D, real", "--water"),
    ("d_fake", "D, fake", "--ochre"),
    ("g", "G", "--accent"),
)
WIDTH, HEIGHT = 560, 250
LEFT, RIGHT, TOP, BOTTOM = 36, 8, 8, 24
MOST_POINTS = 400
SMOOTHING = 0.03  # of the curve's length


def draw_losses(metrics: Sequence[dict[str, Any]]) -> str:
    """d_real, d_fake and g over batches, faint as they were and bold as smoothed."""
    batches = np.array([entry["batch"] for entry in metrics], float)
    series = {name: _values(metrics, name) for name, _, _ in CURVES}
    finite = np.concatenate([values[np.isfinite(values)] for values in series.values()])
    if len(batches) < 2 or not len(finite):
        return '<p class="quiet">The curves begin with the second batch.</p>'
    top = max(float(np.percentile(finite, 99)) * 1.1, 1e-6)
    x = LEFT + (batches - batches[0]) / (batches[-1] - batches[0]) * (WIDTH - LEFT - RIGHT)
    lines = []
    for name, _, colour in CURVES:
        rough, smooth = series[name], _smoothed(series[name])
        lines.append(_path(x, rough, top, colour, "faint") + _path(x, smooth, top, colour, ""))
    axes = _axes(batches[0], batches[-1], top)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Losses of the '
        f'discriminator and the generator over batches">{axes}{"".join(lines)}</svg>'
        f'<div class="legend">{_legend()}</div>'
    )


def _values(metrics: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([float(entry.get(name, np.nan)) for entry in metrics])


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A centred mean, over a shorter window at the ends; what is not finite does not count."""
    half = max(1, round(len(values) * SMOOTHING))
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    low = np.clip(np.arange(len(values)) - half, 0, None)
    high = np.clip(np.arange(len(values)) + half + 1, None, len(values))
    number = counts[high] - counts[low]
    return np.where(number > 0, (sums[high] - sums[low]) / np.maximum(number, 1), np.nan)


def _path(x: np.ndarray, values: np.ndarray, top: float, colour: str, kind: str) -> str:
    chosen = np.unique(np.linspace(0, len(x) - 1, min(MOST_POINTS, len(x))).round().astype(int))
    chosen = chosen[np.isfinite(values[chosen])]
    y = TOP + (1 - np.clip(values[chosen], 0, top) / top) * (HEIGHT - TOP - BOTTOM)
    steps = " ".join(f"{px:.1f} {py:.1f}" for px, py in zip(x[chosen], y, strict=True))
    return f'<path class="{kind}" style="stroke:var({colour})" d="M {steps}"/>' if steps else ""


def _axes(first: float, last: float, top: float) -> str:
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{share * top:.2g}", "end"))
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x = LEFT + share * (WIDTH - LEFT - RIGHT)
        batch = first + share * (last - first)
        parts.append(_text(x, HEIGHT - 6, f"batch {batch:,.0f}", anchor))
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend() -> str:
    return "".join(
        f'<span style="--colour:var({colour})">{escape(title)}</span>'
        for _, title, colour in CURVES
    )
