"""What is kept of a run: facts, a drawing of its batches, and its pins."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from studio.runs.forecast import describe_growth
from studio.runs.storage_report import StorageReport, describe_error_bound, describe_gaps
from studio.screens.parts import markup
from studio.workspace.records.quantities import format_bytes

MAX_GAPS_NAMED, MAX_PINS_NAMED = 4, 12
MAX_BINS = 300
WIDTH, TOP, HEIGHT, BOTTOM = 1000, 12, 22, 10  # Size of the drawing, in units of its own.


def show_storage(report: StorageReport, specimens: Collection[int]) -> Markup:
    """Show what is kept of a run that has checkpoints; its drawing and its pins can be pressed.

    Args:
        specimens: batches that specimens refer to.
    """
    said = [f"Read back: {describe_error_bound(report.error_bound)}."]
    if report.missing:
        said.append(f"Without a checkpoint: {describe_gaps(report.missing, MAX_GAPS_NAMED)}.")
    body = draw_kept(report.batches, report.pinned, specimens) + markup.note(" ".join(said))
    if report.forecast is not None:
        kind = "quiet" if report.forecast.fits else "warning"
        body += markup.note(describe_growth(report.forecast), kind)
    body += _show_pins(report.pinned)
    return Markup('<div class="storage">{}<section class="card">{}</section></div>').format(
        markup.facts(list_facts(report)), body
    )


def list_facts(report: StorageReport) -> list[tuple[str, str]]:
    """What is kept as (name, value) pairs of text."""
    return [
        ("checkpoints", f"{len(report.batches):,}"),
        ("batches missing", f"{sum(end - start for start, end in report.missing):,}"),
        ("on disk", format_bytes(report.size_bytes)),
        ("a checkpoint", format_bytes(report.bytes_per_checkpoint or 0)),
        ("smaller than plain tensors", f"{report.ratio or 0:,.1f} times"),
        ("storage", report.storage),
    ]


def draw_kept(
    batches: Sequence[int], pinned: Collection[int] = (), specimens: Collection[int] = ()
) -> Markup:
    """Draw which batches are kept between the first and the last, with pins and specimens.

    Args:
        batches: ascending, at least one. Where a stretch is thinned, its column is as high as the
            fraction that is kept.
        pinned: batches that are marked above.
        specimens: batches that are marked below.
    """
    first, last = batches[0], batches[-1]
    scale = WIDTH / (last + 1 - first)
    label = f"Batches {first:,} to {last:,}: {len(batches):,} kept, {len(pinned):,} pinned"
    drawing = Markup(
        '<svg class="kept" viewBox="0 0 {width} {total}" role="img" preserveAspectRatio="none" '
        'aria-label="{label}" data-action="place" data-first="{first}" data-last="{last}">'
        '<rect class="ground" y="{top}" width="{width}" height="{height}"/>{columns}{marks}</svg>'
    ).format(
        width=WIDTH,
        top=TOP,
        height=HEIGHT,
        total=TOP + HEIGHT + BOTTOM,
        label=label,
        first=first,
        last=last,
        columns=_columns(_kept_fractions(batches)),
        marks=_marks(pinned, first, last, scale, 0, TOP - 2, "pin")
        + _marks(specimens, first, last, scale, TOP + HEIGHT + 2, BOTTOM - 2, "specimen"),
    )
    return drawing + _LEGEND.format(first, last)


def pressed_batch(event: Any) -> float:
    """The batch that was pressed: a pin, or a place in the drawing.

    Args:
        event: a press; see `markup.js`.
    """
    if event.action == "go":
        return float(event.batch)
    first, last = float(event.first), float(event.last)
    return first + float(event.x) * (last + 1 - first) - 0.5


def _kept_fractions(batches: Sequence[int]) -> np.ndarray:
    """How much of each bin is kept: float [bins], 0..1."""
    first, last = batches[0], batches[-1]
    bins = min(MAX_BINS, last - first + 1)
    edges = np.floor(np.linspace(first, last + 1, bins + 1) + 1e-6)
    there = np.histogram(np.arange(first, last + 1), edges)[0]
    return np.asarray(np.histogram(batches, edges)[0] / there)


def _columns(kept: np.ndarray) -> Markup:
    """One rectangle for each stretch of bins that are kept to the same fraction."""
    starts = np.flatnonzero(np.diff(kept, prepend=-1.0))
    ends = [*starts[1:], len(kept)]
    unit = WIDTH / len(kept)
    column = Markup('<rect x="{:.1f}" width="{:.1f}" y="{:.1f}" height="{:.1f}"/>')
    return markup.join(
        column.format(
            start * unit, (end - start) * unit, TOP + HEIGHT * (1 - fraction), HEIGHT * fraction
        )
        for start, end, fraction in zip(starts, ends, kept[starts], strict=True)
        if fraction > 0
    )


def _marks(
    batches: Collection[int], first: int, last: int, scale: float, y: int, height: int, kind: str
) -> Markup:
    places = sorted({round((b + 0.5 - first) * scale) for b in batches if first <= b <= last})
    lines = " ".join(f"M {x} {y} v {height}" for x in places)
    return Markup('<path class="{}" d="{}"/>').format(kind, lines) if lines else markup.NOTHING


def _show_pins(pinned: Sequence[int]) -> Markup:
    if not pinned:
        return markup.NOTHING
    named = pinned[:MAX_PINS_NAMED]
    chips = markup.join(
        markup.button(f"{batch:,}", "go", quiet=True, batch=batch) for batch in named
    )
    more = f" and {len(pinned) - len(named):,} more" if len(pinned) > len(named) else ""
    return Markup('<div class="line small quiet" id="pins">Pinned: {}{}</div>').format(chips, more)


_LEGEND = Markup(
    '<div class="line small quiet number"><span>batch {:,}</span>'
    '<span class="push legend"><span style="--colour:var(--accent)">kept</span>'
    '<span style="--colour:var(--plum)">pinned</span>'
    '<span style="--colour:var(--water)">specimens</span></span>'
    '<span class="push">{:,}</span></div>'
)
