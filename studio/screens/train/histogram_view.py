"""Weights and activations: what the layers of G and D hold or held, as small histograms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from studio.screens.parts import markup

WIDTH, HEIGHT = 120, 30
HEAD_BYTES = 64  # of a line, in which its batch stands
PARTS = ("weights", "biases", "activations")
ALARMING_SHARE = 0.25  # of a layer's units that are dead


def show_layers(path: Path, batch: int | None = None) -> str:
    """The histograms of a run, layer by layer.

    Args:
        path: histograms.jsonl, one JSON object a line.
        batch: as they were measured then; None, or one that was not measured: the newest.
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
    tables = "".join(_table(name, layers) for name, layers in found["networks"].items())
    return (
        f'<div class="line"><span class="small quiet">As they were at batch {found["batch"]:,}. A '
        "unit is dead when it answered none of the pictures it was shown.</span>"
        f'{_others(batches, at)}</div><div class="layers">{tables}</div>'
    )


def measured_batches(path: Path) -> dict[int, int]:
    """Where the line of each batch begins, bytes; one that is still being written is left out.

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


def _others(batches: Sequence[int], at: int) -> str:
    """Buttons to the measurements before and after, and to whatever is the newest."""
    buttons = []
    if at > 0:
        buttons.append(markup.button("← Earlier", "layers", True, batch=batches[at - 1]))
    if at < len(batches) - 1:
        buttons.append(markup.button("Later →", "layers", True, batch=batches[at + 1]))
        buttons.append(markup.button("Newest", "layers", True, batch=""))
    return "".join(buttons)


def _table(network: str, layers: Sequence[Mapping[str, Any]]) -> str:
    dead = sum(layer.get("dead_units") or 0 for layer in layers)
    units = sum(layer.get("units") or 0 for layer in layers)
    head = "".join(f"<th>{part.capitalize()}</th>" for part in PARTS)
    rows = "".join(_row(layer) for layer in layers)
    return (
        f"<section><h4>{escape(network)} "
        f'<span class="small quiet">{dead:,} of {units:,} units dead</span></h4>'
        f'<table class="list"><thead><tr><th>Layer</th>{head}<th>Dead</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></section>"
    )


def _row(layer: Mapping[str, Any]) -> str:
    cells = "".join(f"<td>{_histogram(layer.get(part))}</td>" for part in PARTS)
    return f"<tr><td>{escape(layer['layer'])}</td>{cells}<td>{_dead(layer)}</td></tr>"


def _dead(layer: Mapping[str, Any]) -> str:
    dead, units = layer.get("dead_units"), layer.get("units")
    if dead is None or not units:
        return "–"
    kind = ' class="warning"' if dead >= ALARMING_SHARE * units else ""
    return f"<span{kind}>{dead:,} / {units:,}</span>"


def _histogram(part: Mapping[str, Any] | None) -> str:
    """Bars as one outline; counts stand as their roots, so that tails can be seen."""
    if not part or not part["counts"]:
        return '<span class="quiet">–</span>'
    low, high, counts = part["low"], part["high"], np.sqrt(np.array(part["counts"], float))
    tops = HEIGHT - counts / max(counts.max(), 1) * HEIGHT
    edges = np.linspace(0, WIDTH, len(counts) + 1)
    steps = " ".join(
        f"L {a:.1f} {y:.1f} L {b:.1f} {y:.1f}"
        for a, b, y in zip(edges[:-1], edges[1:], tops, strict=True)
    )
    said = f"{low:.3g} to {high:.3g}"
    return (
        f'<svg class="histogram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}" '
        f'preserveAspectRatio="none">{_zero(low, high)}'
        f'<path d="M 0 {HEIGHT} {steps} L {WIDTH} {HEIGHT} Z"/></svg>'
        f'<div class="range small quiet"><span>{low:.2g}</span><span>{high:.2g}</span></div>'
    )


def _zero(low: float, high: float) -> str:
    if not low < 0 < high:
        return ""
    x = -low / (high - low) * WIDTH
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT}"/>'
