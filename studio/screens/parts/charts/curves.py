"""The curves of a run: its metrics in views that answer one question each, with its events."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from markupsafe import Markup

from studio.runs.events import Event
from studio.screens.parts import markup
from studio.screens.parts.assets import read_asset
from studio.screens.parts.charts.axes import (
    AXES,
    BATCH,
    Metrics,
    places_along,
    span_along,
    values_of,
)
from studio.screens.parts.charts.chart import Curve, Mark, draw_bands, draw_curves
from studio.screens.parts.charts.curve_views import VIEWS, CurveView, views_of

Step = str | tuple[float, float]  # See `zoom_by`.

RECENT_BATCHES = 100  # Batches over which the fraction of waiting is measured.
MIN_SHOWN = 2  # A curve has at least so many batches.
MAX_MARKS = 80  # Older events are not marked.

# Kinds of events whose marks stand out, and all that are marked; what matters most comes first.
WRONG = ("alarm", "failed", "rolled_back")
MARKED = (*WRONG, "rejected", "changed", "resumed", "paused")


def show_curves(
    metrics: Metrics,
    events: Sequence[Event],
    view: str,
    log: bool,
    zoom: tuple[int, int] | None = None,
    axis: str = BATCH,
) -> Markup:
    """A view of a run as it stands, with marks where something happened.

    Args:
        metrics: those of its batches, ascending.
        events: in any order.
        view: a key of `views_of` the metrics; another one stands for the first.
        log: a logarithmic scale.
        zoom: the first and the last batch that are shown; None for all.
        axis: what lies along them, a key of AXES.
    """
    if len(metrics) < MIN_SHOWN:
        return _TOO_SHORT
    views = views_of(metrics)
    view = view if view in views else next(iter(views))
    chosen = views[view]
    x = places_along(metrics, axis)
    marks = marks_along(metrics, events, x)
    part = slice_within(metrics, zoom)
    metrics, x = metrics[part], x[part]
    drawn = (
        _draw_time(chosen, metrics, x, axis, marks)
        if view == "time"
        else _draw_view(chosen, metrics, x, axis, marks, log)
    )
    if drawn:
        return drawn
    names = ", ".join(title.lower() for _, title, _ in chosen.series)
    unknown = markup.paragraph(f"Nothing is known yet about: {names}.")
    return Markup('<div class="plot unknown">{}</div>').format(unknown)


def slice_within(metrics: Metrics, zoom: tuple[int, int] | None) -> slice:
    """Which of the batches a stretch holds; all of them where it holds too few."""
    if zoom is None:
        return slice(None)
    low = bisect_left(metrics, zoom[0], key=_batch_of)
    high = bisect_right(metrics, zoom[1], key=_batch_of)
    return slice(low, high) if high - low >= MIN_SHOWN else slice(None)


def within(metrics: Metrics, zoom: tuple[int, int] | None) -> Metrics:
    """The metrics of a stretch of batches; all of them where it holds too few."""
    return metrics[slice_within(metrics, zoom)]


def zoom_by(
    metrics: Metrics, zoom: tuple[int, int] | None, step: Step, axis: str = BATCH
) -> tuple[int, int] | None:
    """The stretch of batches after a step; None for all of them.

    Args:
        axis: what lies along the curves, a key of AXES.
        step: `in`, `out`, `left` and `right`, by half of what is seen or as much, or `all`;
            or two fractions of what is seen, between which somebody dragged.

    Example:
        >>> run = [{"batch": batch} for batch in range(1, 101)]
        >>> zoom_by(run, None, "in"), zoom_by(run, (26, 75), "right"), zoom_by(run, None, (0.5, 1))
        ((26, 75), (50, 99), (50, 100))
    """
    if step == "all" or len(metrics) < MIN_SHOWN:
        return None
    first, last = _batch_of(metrics[0]), _batch_of(metrics[-1])
    seen = within(metrics, zoom)
    low, high = _batch_of(seen[0]), _batch_of(seen[-1])
    length = high - low
    if isinstance(step, tuple):
        ends = sorted(min(max(end, 0.0), 1.0) for end in step)
        x = places_along(metrics, axis)[slice_within(metrics, zoom)]
        marked = x[0] + np.array(ends) * (x[-1] - x[0])
        low, high = np.interp(marked, x, values_of(seen, "batch")).round().astype(int).tolist()
    elif step in ("left", "right"):
        by = max(1, length // 2) * (1 if step == "right" else -1)
        by = min(max(by, first - low), last - high)
        low, high = low + by, high + by
    else:
        by = -max(1, length // 2) if step == "out" else (length + 1) // 4
        low, high = max(first, low + by), min(last, high - by)
    if (low, high) == (first, last):
        return None
    is_seen = len(within(metrics, (low, high))) < len(metrics)
    return (low, high) if is_seen else zoom


def show_zoom(zoom: tuple[int, int] | None) -> Markup:
    """Buttons that zoom and move along the batches, and what is seen."""
    steps = (
        *(("+", "in", "Zoom in"), ("−", "out", "Zoom out")),
        *(("←", "left", "Earlier batches"), ("→", "right", "Later batches")),
        ("All", "all", "All batches"),
    )
    button = Markup(
        '<button type="button" class="plain quiet-button" data-action="zoom" data-by="{}" '
        'aria-label="{}" title="{}"{}>{}</button>'
    )
    buttons = markup.join(
        button.format(by, said, said, "" if zoom or by == "in" else Markup(" disabled"), text)
        for text, by, said in steps
    )
    seen = "" if zoom is None else f"batches {zoom[0]:,} to {zoom[1]:,}"
    return Markup(
        '<div class="zoom" role="group" aria-label="Zoom"><span class="small quiet number" '
        'role="status">{}</span>{}</div>'
    ).format(seen, buttons)


def zoom_script() -> str:
    """The script that lets one zoom by dragging across a chart, for the place that it lies in."""
    return read_asset(__package__, "zoom.js")


def _batch_of(entry: Mapping[str, Any]) -> int:
    return int(entry["batch"])


def show_choices(
    view: str, log: bool, axis: str = BATCH, views: Mapping[str, CurveView] = VIEWS
) -> Markup:
    """Buttons that choose another view, the scale, and what lies along all views.

    Args:
        views: those that there are, see `views_of`.
    """
    buttons = markup.join(
        markup.choice(known.title, "curves", name == view, view=name)
        for name, known in views.items()
    )
    scale = markup.NOTHING if view == "time" else markup.choice("log scale", "log", log)
    along = markup.join(
        markup.choice(title, "axis", name == axis, axis=name) for name, title in AXES.items()
    )
    return Markup(
        '<div class="choices" role="group" aria-label="Curves">{}<i></i>{}</div>'
        '<div class="choices small" role="group" aria-label="Along the curves">'
        '<span class="quiet">over</span>{}</div>'
    ).format(buttons, scale, along)


def overlay_runs(
    runs: Mapping[str, Metrics], colours: Mapping[str, str], metric: str, axis: str, log: bool
) -> Markup:
    """The same metric of several runs, over batches, pictures seen or time.

    Args:
        runs: the metrics of the batches of each run, by its name.
        colours: the name of each run's colour in CSS.
        axis: what lies along them, a key of AXES.
        log: a logarithmic scale.
    """
    known = {name: metrics for name, metrics in runs.items() if len(metrics) > 1}
    curves = [
        Curve(
            name,
            colours[name],
            places_along(metrics, axis),
            values_of(metrics, metric),
        )
        for name, metrics in known.items()
    ]
    if not curves:
        return _TOO_SHORT
    ends = min(curve.x[0] for curve in curves), max(curve.x[-1] for curve in curves)
    span = span_along(axis, np.array(ends))
    smooth = metric not in {name for name, _, _ in VIEWS["rates"].series}
    drawn = draw_curves(
        curves, span, f"{metric} of {', '.join(known)}", log=log, rough=not smooth, smoothed=smooth
    )
    return drawn or markup.paragraph(f"None of these runs wrote down {metric}.")


def waiting_fraction(metrics: Metrics) -> float | None:
    """How much of its time training waited for data lately, 0..1; None if nobody knows."""
    recent = metrics[-RECENT_BATCHES:]
    waited, took = values_of(recent, "data_s"), values_of(recent, "seconds")
    known = np.isfinite(waited) & np.isfinite(took)
    return float(waited[known].sum() / took[known].sum()) if took[known].sum() > 0 else None


def marks_of(events: Sequence[Event]) -> list[Mark]:
    """Marks of what happened to a run; the events of a batch have one mark together.

    Args:
        events: in any order.
    """
    by_batch: dict[int, list[Event]] = {}
    for event in sorted(events, key=lambda event: event.created_at):
        if event.kind in MARKED and event.batch is not None:
            by_batch.setdefault(event.batch, []).append(event)
    newest = sorted(by_batch)[-MAX_MARKS:]
    return [_mark(batch, by_batch[batch]) for batch in newest]


def marks_along(metrics: Metrics, events: Sequence[Event], x: np.ndarray) -> list[Mark]:
    """Marks of what happened where its batch stands; others are left out.

    Args:
        x: float [N], where each batch of the metrics stands, as `places_along` gives it.
    """
    marks = marks_of(events)
    places = np.interp(
        [mark.at for mark in marks], values_of(metrics, "batch"), x, left=np.nan, right=np.nan
    )
    return [
        replace(mark, at=float(at))
        for mark, at in zip(marks, places, strict=True)
        if np.isfinite(at)
    ]


def _mark(batch: int, events: Sequence[Event]) -> Mark:
    kind = min((event.kind for event in events), key=MARKED.index)
    said = "; ".join(event.text for event in events)
    return Mark(batch, "wrong" if kind in WRONG else kind, f"Batch {batch:,}: {said}")


def _draw_view(
    view: CurveView, metrics: Metrics, x: np.ndarray, axis: str, marks: Sequence[Mark], log: bool
) -> Markup:
    curves = [
        Curve(title, colour, x, values_of(metrics, name) / view.per)
        for name, title, colour in view.series
    ]
    if view.unit:
        last = curves[-1]
        curves[-1] = Curve(f"{last.title} ({view.unit})", last.colour, last.x, last.y)
    label = f"{view.title} over {AXES[axis]}"
    return draw_curves(curves, span_along(axis, x), label, marks, log, smoothed=view.smoothed)


def _draw_time(
    view: CurveView, metrics: Metrics, x: np.ndarray, axis: str, marks: Sequence[Mark]
) -> Markup:
    """Where the time of a batch goes, and how much of it was spent waiting."""
    waiting = waiting_fraction(metrics)
    if waiting is None:
        return markup.NOTHING
    seconds = values_of(metrics, "seconds")
    *phases, other = view.series
    parts = [values_of(metrics, name) for name, _, _ in phases]
    parts.append(np.clip(seconds - np.sum(parts, axis=0), 0, None))
    bands = [
        Curve(title, colour, x, part)
        for (_, title, colour), part in zip((*phases, other), parts, strict=True)
    ]
    label = "Share of the time of a batch that each part takes"
    said = Markup(
        '<div class="small quiet">Waiting for data: <b class="number">{:.1%}</b> of the last '
        "{} batches.</div>"
    ).format(waiting, min(RECENT_BATCHES, len(metrics)))
    return draw_bands(bands, span_along(axis, x), label, marks) + said


_TOO_SHORT = markup.paragraph("The curves begin with the second batch.")
