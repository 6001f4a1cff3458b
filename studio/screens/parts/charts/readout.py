"""What a chart says where one points at it: the values of its curves there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from studio.screens.parts.charts.scales import Span

MAX_READ_POINTS = 300  # So many places of a curve can be pointed at.


class ReadCurve(NamedTuple):
    """A curve as it is read.

    Args:
        title: its name.
        colour: name of a CSS variable.
        x: float [N], ascending.
        y: float [N], the values.
        mean: float [N], those of the line that is drawn through them; None where there is none.
        unit: what stands behind each value.
    """

    title: str
    colour: str
    x: np.ndarray
    y: np.ndarray
    mean: np.ndarray | None = None
    unit: str = ""


def write_readout(curves: Sequence[ReadCurve], span: Span) -> str:
    """JSON for `readout.js`: of each curve the places, 0..1 along the chart, and what to say there.

    A curve with the same places as the first one leaves them out.
    """
    written: list[dict[str, object]] = []
    first: list[float] | None = None
    for curve in curves:
        seen = np.flatnonzero((curve.x >= span.first) & (curve.x <= span.last))
        if not len(seen):
            continue
        chosen = seen[np.unique(np.linspace(0, len(seen) - 1, MAX_READ_POINTS).round().astype(int))]
        at = [round(float(f), 4) for f in span.fraction(curve.x[chosen])]
        entry: dict[str, object] = {"title": curve.title, "colour": curve.colour}
        if at != first:
            entry |= {"at": at, "where": [span.write(float(x)) for x in curve.x[chosen]]}
        first = at if first is None else first
        entry["values"] = [_write(curve, int(n)) for n in chosen]
        written.append(entry)
    return json.dumps(written)


def _write(curve: ReadCurve, n: int) -> str:
    said = f"{curve.y[n]:.4g}{curve.unit}" if np.isfinite(curve.y[n]) else "unknown"
    if curve.mean is None or not np.isfinite(curve.mean[n]):
        return said
    return f"{said}, mean {curve.mean[n]:.4g}{curve.unit}"
