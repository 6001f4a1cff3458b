"""Weights and activations of a run: small histograms of each layer of G and D."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from studio.screens.parts import markup

WIDTH, HEIGHT = 120, 30  # Size of a histogram, in units of its own.
HEAD_BYTES = 64  # The batch stands within the first bytes of a line; so many are read.
PARTS = ("weights", "biases", "activations")
ALARMING_FRACTION = 0.25  # A layer with this fraction of dead units, or more, stands out.


def show_layers(path: Path, batch: int | None = None) -> Markup:
    """The histograms of a run, layer by layer.

    Args:
        path: histograms.jsonl, one JSON object a line.
        batch: when they were measured; the newest where it is None or was not measured.
    """
    offsets = measured_batches(path)
    if not offsets:
        return markup.empty(
            "Nothing measured yet",
            "While a run trains, the weights and activations of its layers are measured every "
            "histograms_every batches. Dead units are counted, too.",
        )
    batches = sorted(offsets)
    at = batches.index(batch) if batch in offsets else len(batches) - 1
    with path.open("rb") as file:
        file.seek(offsets[batches[at]])
        found = json.loads(file.readline())
    return Markup(
        '<div class="line"><span class="small quiet">As they were at batch {:,}. A '
        "unit is dead when it answered none of the pictures it was shown.</span>"
        '{}</div><div class="layers">{}</div>'
    ).format(
        found["batch"],
        _other_measurements(batches, at),
        markup.join(_table(name, layers) for name, layers in found["networks"].items()),
    )


def measured_batches(path: Path) -> dict[int, int]:
    """Where the line of each batch begins, in bytes; an unfinished line is left out.

    Where a run went back and measured a batch again, the later line counts.
    """
    if not path.exists():
        return {}
    offsets, begin = {}, 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                offsets[int(line[:HEAD_BYTES].split(b":")[1].split(b",")[0])] = begin
            begin += len(line)
    return offsets


def _other_measurements(batches: Sequence[int], at: int) -> Markup:
    """Buttons to the measurements before and after, and to whatever is the newest."""
    buttons = []
    if at > 0:
        buttons.append(markup.button("← Earlier", "layers", True, batch=batches[at - 1]))
    if at < len(batches) - 1:
        buttons.append(markup.button("Later →", "layers", True, batch=batches[at + 1]))
        buttons.append(markup.button("Newest", "layers", True, batch=""))
    return markup.join(buttons)


def _table(network: str, layers: Sequence[Mapping[str, Any]]) -> Markup:
    head = Markup("<th>{}</th>")
    return Markup(
        '<section><h4>{} <span class="small quiet">{:,} of {:,} units dead</span></h4>'
        '<table class="list"><thead><tr><th>Layer</th>{}<th>Dead</th></tr></thead>'
        "<tbody>{}</tbody></table></section>"
    ).format(
        network,
        sum(layer.get("dead_units") or 0 for layer in layers),
        sum(layer.get("units") or 0 for layer in layers),
        markup.join(head.format(part.capitalize()) for part in PARTS),
        markup.join(_row(layer) for layer in layers),
    )


def _row(layer: Mapping[str, Any]) -> Markup:
    cell = Markup("<td>{}</td>")
    cells = markup.join(cell.format(_histogram(layer.get(part))) for part in PARTS)
    return Markup("<tr><td>{}</td>{}<td>{}</td></tr>").format(layer["layer"], cells, _dead(layer))


def _dead(layer: Mapping[str, Any]) -> Markup:
    dead, units = layer.get("dead_units"), layer.get("units")
    if dead is None or not units:
        return Markup("–")
    kind = Markup(' class="warning"') if dead >= ALARMING_FRACTION * units else ""
    return Markup("<span{}>{:,} / {:,}</span>").format(kind, dead, units)


def _histogram(part: Mapping[str, Any] | None) -> Markup:
    """Bars as one outline; counts stand as their roots, so that tails can be seen."""
    if not part or not part["counts"]:
        return Markup('<span class="quiet">–</span>')
    low, high, counts = part["low"], part["high"], np.sqrt(np.array(part["counts"], float))
    tops = HEIGHT - counts / max(counts.max(), 1) * HEIGHT
    edges = np.linspace(0, WIDTH, len(counts) + 1)
    steps = " ".join(
        f"L {a:.1f} {y:.1f} L {b:.1f} {y:.1f}"
        for a, b, y in zip(edges[:-1], edges[1:], tops, strict=True)
    )
    return Markup(
        '<svg class="histogram" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="{low:.3g} to {high:.3g}" preserveAspectRatio="none">{zero}'
        '<path d="M 0 {height} {steps} L {width} {height} Z"/></svg>'
        '<div class="range small quiet"><span>{low:.2g}</span><span>{high:.2g}</span></div>'
    ).format(width=WIDTH, height=HEIGHT, low=low, high=high, zero=_zero(low, high), steps=steps)


def _zero(low: float, high: float) -> Markup:
    """A line where 0 lies, if it lies within."""
    if not low < 0 < high:
        return markup.NOTHING
    line = Markup('<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}"/>')
    return line.format(x=-low / (high - low) * WIDTH, height=HEIGHT)
