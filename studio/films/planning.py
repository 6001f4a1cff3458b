"""From wishes to plans: what all films of a run have in common."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from checkpoints_index import CheckpointIndex, CheckpointRun
from latent.points import LatentPoint
from renderers.frames.devices import require_devices
from renderers.jobs.rendering import Engine
from renderers.jobs.workers import render_parts
from renderers.plan.options import RenderOptions
from renderers.plan.outputs import default_file
from renderers.plan.render_plan import Caption, RenderPlan, Track, make_plan
from studio.films.film_options import Rendering
from studio.runs.events import list_events
from studio.runs.metrics import read_metrics
from studio.workspace.devices import choose_devices
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

LONGEST_SECONDS = 3600.0
CURVE = "g"  # the metric that the strip under a film shows
FILMED_EVENTS = ("changed", "resumed", "rolled_back", "alarm", "failed")  # that pictures may show
MOST_EVENTS = 10_000


def open_run(workspace: Workspace, run: str) -> CheckpointRun:
    return CheckpointIndex(workspace.runs)[run]


def count_frames(seconds: float, fps: int) -> int:
    """How many frames so many seconds are.

    Raises:
        StudioError: none, or more than an hour.
    """
    if not 0 < seconds <= LONGEST_SECONDS:
        raise StudioError(f"{seconds:g} seconds is out of range: use up to {LONGEST_SECONDS:g}.")
    return max(1, round(seconds * fps))


def describe_size(checkpoints: CheckpointRun, options: RenderOptions) -> str | None:
    """What to tell a person if a film is not as large as was asked for.

    Raises:
        StudioError: the crop does not lie in the pictures, or the film would be too large.
    """
    side = checkpoints.spec.image_size
    height, width, _ = options.display.apply_crop(np.empty((side, side, 3), np.uint8)).shape
    return options.display.lay_out(width, height, options.encoder_for(1).even).remark


def choose_engine(rendering: Rendering) -> Engine:
    """What renders the parts.

    Raises:
        StudioError: a device is not there.
    """
    if rendering.engine == "ray":
        from renderers.jobs.cluster import render_parts_on_cluster

        return partial(render_parts_on_cluster, address=rendering.address)
    return partial(render_parts, devices=require_devices(rendering.devices or choose_devices()))


def plan_film(
    workspace: Workspace,
    checkpoints: CheckpointRun,
    tracks: Sequence[LatentPoint | Track],
    batches: Sequence[int],
    rendering: Rendering,
    *,
    numbers: Sequence[int] = (),
    largest: int | None = None,
) -> RenderPlan:
    """The plan of a film of a run.

    Args:
        batches: the checkpoint of each frame.
        numbers: that frames show, where these are not the checkpoints'.
        largest: batch number that overlays have room for; that of this film if None.
    """
    overlay = rendering.options.overlay
    caption = Caption(
        numbers=tuple(numbers) if list(numbers) != list(batches) else (),
        run=checkpoints.name if "run" in overlay else "",
        curve=_loss_curve(workspace, checkpoints.name, batches) if "curve" in overlay else (),
        largest=largest or max([*numbers, *batches]),
        events=_filmed_events(workspace, checkpoints.name) if "events" in overlay else (),
    )
    return make_plan(
        tracks,
        batches,
        rendering.options,
        weights=checkpoints.digests(batches),
        caption=caption,
        borders=checkpoints.key_batches,
    )


def choose_places(
    workspace: Workspace, name: str, wish: Any, rendering: Rendering
) -> tuple[Path, Path]:
    """The file, and the folder in which its parts are kept until it is whole.

    The same wish in the same format has the same places, so that it is taken up where it was.

    Args:
        wish: a dataclass of `studio.films.film_options`.
    """
    out = rendering.out
    form = rendering.options.format
    asked = str(out.absolute()) if out is not None else repr((dataclasses.astuple(wish), form))
    mark = hashlib.sha256(asked.encode()).hexdigest()[:6]
    folder = workspace.render(f"{name}-{mark}")
    return (default_file(folder, name, form) if out is None else out.absolute()), folder


def _loss_curve(workspace: Workspace, run: str, batches: Sequence[int]) -> tuple[float, ...]:
    """The loss of G at each frame; empty for a run without numbers, such as an imported one."""
    known = {e["batch"]: e[CURVE] for e in read_metrics(workspace.metrics(run)) if CURVE in e}
    if not known:
        return ()
    values, last = [], next(iter(known.values()))
    for batch in batches:
        last = known.get(batch, last)
        values.append(float(last))
    return tuple(values)


def _filmed_events(workspace: Workspace, run: str) -> tuple[tuple[int, str], ...]:
    """(batch, text) of what happened to a run, by ascending batches, the newest of one last."""
    events = [
        (event.batch, " ".join(event.text.split()))
        for event in reversed(list_events(workspace, run, MOST_EVENTS))
        if event.batch is not None and event.kind in FILMED_EVENTS
    ]
    return tuple(sorted(events, key=lambda event: event[0]))
