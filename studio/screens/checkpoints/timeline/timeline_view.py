"""The timeline on the page, and what it is told of a run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from markupsafe import Markup

from latent.points import parse_label
from studio.runs.events import list_events
from studio.runs.pins import list_pins
from studio.screens.checkpoints.timeline.axis_thumbnails import SIZE_PX
from studio.screens.checkpoints.timeline.jumps import find_jumps
from studio.screens.checkpoints.timeline.picture_painter import MAX_POINTS
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext
from studio.screens.parts.assets import read_asset
from studio.screens.parts.charts.axes import Metrics, values_of
from studio.screens.parts.charts.curve_views import views_of
from studio.screens.parts.charts.curves import marks_of
from studio.specimens.specimen_pages import starred_labels

SCRIPTS = (
    *("kept_batches.js", "picture_feed.js", "axis.js", "stage.js", "player.js", "controls.js"),
    *("timeline.js", "begin.js"),
)
# What the page is to show is kept where the timeline finds it, however late its script begins.
TELL = """(value) => {
  (window.studioTimeline ??= {}).told = value;
  window.dispatchEvent(new Event('studio-timeline'));
}"""
MAX_PLACES = 400  # Places of a curve that are told of.
NEWEST_EVENTS = 400
_numbers = itertools.count(1)


class View(NamedTuple):
    """What of a run is looked at; all of it stands in the address of the page.

    Attributes:
        batch: the checkpoint.
        point: the label of the one city that is shown large; empty for all.
        start, end: the first and the last batch of the stretch that is played; None for all.
        beside: the batch that the other is laid over; None where they are not compared.
    """

    batch: int
    point: str = ""
    start: int | None = None
    end: int | None = None
    beside: int | None = None

    def to_parts(self) -> dict[str, Any]:
        """The parts of an address that say so."""
        named = {**self._asdict(), "from": self.start, "to": self.end}
        parts = {name: named[name] for name in ("batch", "point", "from", "to", "beside")}
        return {name: value for name, value in parts.items() if value not in (None, "")}

    @classmethod
    def from_parts(cls, parts: Mapping[str, Any]) -> View | None:
        """What the parts of an address say; None where they name no batch and no city."""
        if not {"batch", "point"} & set(parts):
            return None
        names = ("point", "beside")
        given = {name: parts[name] for name in names if name in parts}
        return cls(parts.get("batch", -1), **given, start=parts.get("from"), end=parts.get("to"))


class TimelineOnPage:
    """The timeline, which shows what lies in its hidden value.

    Attributes:
        place: the timeline; what is done on it are the actions `look` (with `batch`, `point`,
            `start`, `end` and `beside`, of which each may be empty), `pin` and `star`.
        shown: the value of `describe_timeline`, or None.
    """

    def __init__(self) -> None:
        self.place = gr.HTML(
            Markup(read_asset(__package__, "timeline.html")),  # A file of our own.
            js_on_load="\n".join(read_asset(__package__, name) for name in SCRIPTS),
            elem_id="timeline",
            apply_default_css=False,
        )
        self.shown = gr.JSON(visible="hidden")
        self.shown.change(None, self.shown, None, js=TELL, **EVENT_DEFAULTS)


def describe_timeline(
    app: AppContext, run: str, batches: Sequence[int], view: View | None
) -> dict[str, Any]:
    """What the timeline is told of a run.

    Args:
        batches: those that have a checkpoint, ascending, at least one.
        view: what is to be looked at from now on; None leaves that as it is.

    Returns:
        Plain values for JSON; another one each time, so that nothing is missed.
    """
    metrics, workspace = app.run_cache.metrics(run), app.workspace
    points = app.shown_points(run)[:MAX_POINTS]
    return {
        "number": next(_numbers),
        "run": run,
        "identity": str(app.picture_cache.identity(run)),
        "kept": to_stretches(batches),
        "pinned": to_stretches(list_pins(workspace, run)),
        "view": None if view is None else view._asdict(),
        "points": [point.label for point in points],
        "canStar": all(parse_label(point.label) is not None for point in points),
        "starred": starred_labels(workspace, run),
        "marks": _marks(app, run, metrics),
        "curves": _curves(metrics),
        "thumbnailPx": SIZE_PX,
        "credit": app.attribution(run),
    }


def to_stretches(batches: Sequence[int]) -> list[list[int]]:
    """Batches in few numbers: the first, the step, and how many, for each even stretch of them.

    Args:
        batches: ascending.

    Example:
        >>> to_stretches([1, 2, 3, 10, 20, 30])
        [[1, 1, 3], [10, 10, 3]]
    """
    stretches: list[list[int]] = []
    for batch in batches:
        if stretches:
            first, step, count = last = stretches[-1]
            if count == 1:
                last[1:] = [batch - first, 2]
                continue
            if batch == first + step * count:
                last[2] += 1
                continue
            if count == 2 and step > 1:  # Two that are far apart are no stretch.
                last[1:] = [1, 1]
                stretches.append([first + step, batch - first - step, 2])
                continue
        stretches.append([batch, 1, 1])
    return stretches


def _marks(app: AppContext, run: str, metrics: Metrics) -> list[dict[str, Any]]:
    """What happened at which batch, ascending."""
    events = list_events(app.workspace, run, NEWEST_EVENTS)
    marks = [
        {"batch": int(mark.at), "kind": mark.kind, "text": mark.text} for mark in marks_of(events)
    ]
    marks += [
        {"batch": batch, "kind": "jump", "text": f"Batch {batch:,}: the pictures jump"}
        for batch in find_jumps(metrics)
    ]
    return sorted(marks, key=lambda mark: int(str(mark["batch"])))


def _curves(metrics: Metrics) -> list[dict[str, Any]]:
    """The losses, thinned to means over stretches of batches."""
    if len(metrics) < 2:
        return []
    batches = values_of(metrics, "batch")
    curves = []
    for name, title, colour in views_of(metrics)["losses"].series:
        values = values_of(metrics, name)
        known = np.isfinite(values)
        if known.any():
            places = _means(batches[known], values[known])
            curves.append({"title": title, "colour": colour, "places": places})
    return curves


def _means(batches: np.ndarray, values: np.ndarray) -> list[list[float]]:
    """Pairs of a batch and a value, at most MAX_PLACES of them."""
    count = min(len(batches), MAX_PLACES)
    starts = np.linspace(0, len(batches), count, endpoint=False).astype(int)
    sizes = np.diff([*starts, len(batches)])
    x, y = np.add.reduceat(batches, starts) / sizes, np.add.reduceat(values, starts) / sizes
    return [[round(float(a), 1), float(f"{b:.5g}")] for a, b in zip(x, y, strict=True)]
