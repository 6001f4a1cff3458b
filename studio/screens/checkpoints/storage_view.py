"""What is kept of a run, as facts and as a picture of its batches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import Any

import numpy as np

from studio.runs.forecast import describe_growth
from studio.runs.storage_report import StorageReport, describe_gaps, describe_promise
from studio.screens.parts import markup
from studio.workspace.quantities import format_bytes

GAPS_NAMED, PINS_NAMED = 4, 12
BINS = 300
WIDTH, TOP, HEIGHT, BOTTOM = 1000, 12, 22, 10  # of the picture, in its own units


def show_holdings(inventory: StorageReport, specimens: Collection[int]) -> str:
    """Everything about a run that has checkpoints; its picture and its pins can be pressed.

    Args:
        specimens: batches that specimens refer to.
    """
    said = [f"Read back: {describe_promise(inventory.promise)}."]
    if inventory.missing:
        said.append(f"Without a checkpoint: {describe_gaps(inventory.missing, GAPS_NAMED)}.")
    text = f'<div class="small quiet">{escape(" ".join(said))}</div>'
    if inventory.forecast is not None:
        kind = "quiet" if inventory.forecast.fits else "warning"
        growth = escape(describe_growth(inventory.forecast))
        text += f'<div class="small {kind}">{growth}</div>'
    strip = draw_kept(inventory.batches, inventory.pinned, specimens)
    return (
        f'<div class="holdings">{markup.facts(list_facts(inventory))}'
        f'<section class="card">{strip}{text}{_show_pins(inventory.pinned)}</section></div>'
    )


def list_facts(inventory: StorageReport) -> list[tuple[str, str]]:
    """(name, value) of what is kept, the sizes in words."""
    batches, each, ratio = inventory.batches, inventory.bytes_per_checkpoint, inventory.ratio
    return [
        ("checkpoints", f"{len(batches):,}"),
        ("batches missing", f"{sum(end - start for start, end in inventory.missing):,}"),
        ("on disk", format_bytes(inventory.size_bytes)),
        ("a checkpoint", format_bytes(each or 0)),
        ("smaller than plain tensors", f"{ratio or 0:,.1f} times"),
        ("storage", inventory.storage),
    ]


def draw_kept(
    batches: Sequence[int], pinned: Collection[int] = (), specimens: Collection[int] = ()
) -> str:
    """The batches from first to last: how many of them are kept, pins above, specimens below."""
    first, last = batches[0], batches[-1]
    bins = min(BINS, last - first + 1)
    edges = np.floor(np.linspace(first, last + 1, bins + 1) + 1e-6)
    kept = np.histogram(batches, edges)[0] / np.histogram(np.arange(first, last + 1), edges)[0]
    scale = WIDTH / (last + 1 - first)
    marks = _marks(pinned, first, last, scale, 0, TOP - 2, "pin")
    marks += _marks(specimens, first, last, scale, TOP + HEIGHT + 2, BOTTOM - 2, "specimen")
    label = f"Batches {first:,} to {last:,}: {len(batches):,} kept, {len(pinned):,} pinned"
    return (
        f'<svg class="kept" viewBox="0 0 {WIDTH} {TOP + HEIGHT + BOTTOM}" role="img" '
        f'preserveAspectRatio="none" aria-label="{label}" data-action="place" data-first="{first}" '
        f'data-last="{last}"><rect class="ground" y="{TOP}" width="{WIDTH}" height="{HEIGHT}"/>'
        f'{_columns(kept)}{marks}</svg><div class="line small quiet number"><span>batch {first:,}'
        '</span><span class="push legend"><span style="--colour:var(--accent)">kept</span>'
        '<span style="--colour:var(--plum)">pinned</span><span style="--colour:var(--water)">'
        f'specimens</span></span><span class="push">{last:,}</span></div>'
    )


def pressed_batch(event: Any) -> float:
    """The batch that was pressed: a pin, or a place in the picture."""
    if event.action == "go":
        return float(event.batch)
    first, last = float(event.first), float(event.last)
    return first + float(event.x) * (last + 1 - first) - 0.5


def _columns(kept: np.ndarray) -> str:
    """One rectangle for each stretch of bins of which the same share is kept."""
    starts = np.flatnonzero(np.diff(kept, prepend=-1.0))
    ends = [*starts[1:], len(kept)]
    unit = WIDTH / len(kept)
    return "".join(
        f'<rect x="{start * unit:.1f}" width="{(end - start) * unit:.1f}" '
        f'y="{TOP + HEIGHT * (1 - share):.1f}" height="{HEIGHT * share:.1f}"/>'
        for start, end, share in zip(starts, ends, kept[starts], strict=True)
        if share > 0
    )


def _marks(
    batches: Collection[int], first: int, last: int, scale: float, y: int, height: int, kind: str
) -> str:
    places = sorted({round((b + 0.5 - first) * scale) for b in batches if first <= b <= last})
    lines = " ".join(f"M {x} {y} v {height}" for x in places)
    return f'<path class="{kind}" d="{lines}"/>' if lines else ""


def _show_pins(pinned: Sequence[int]) -> str:
    if not pinned:
        return ""
    chips = "".join(
        markup.button(f"{batch:,}", "go", quiet=True, batch=batch) for batch in pinned[:PINS_NAMED]
    )
    more = f" and {len(pinned) - PINS_NAMED:,} more" if len(pinned) > PINS_NAMED else ""
    return f'<div class="line small quiet" id="pins">Pinned: {chips}{more}</div>'
