"""From what is asked to plans: what all films of a run have in common."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from checkpoints_index import CheckpointIndex, CheckpointRun
from latent.points import LatentPoint
from renderers.frames.devices import require_devices
from renderers.frames.source import CheckpointSource
from renderers.jobs.claims import refuse_foreign
from renderers.jobs.workers import render_parts
from renderers.plan.options import RenderOptions, share_threads
from renderers.plan.outputs import default_file, output_paths
from renderers.plan.part_work import Engine
from renderers.plan.render_plan import Caption, RenderPlan, Track, make_plan
from renderers.upscaling.enlarged_source import Enlargement
from renderers.video.formats import USUAL_RATE
from renderers.video.joining import require_film_place
from renderers.video.rates import Rate
from studio.films.film_tags import write_tags
from studio.films.given.enlarged_runs import (
    choose_enlargement,
    enlarge_options,
    enlarge_source,
    mark_weights,
)
from studio.films.options.film_options import MAX_SECONDS, FilmOptions
from studio.films.places import film_folder
from studio.runs.attribution import attribution_of
from studio.runs.events import list_events
from studio.runs.metrics import read_metrics
from studio.runs.selection import describe_cut
from studio.runs.tools.upscalers import RunUpscaler, open_upscaler
from studio.specimens.points import points_or_fixed, resolve_points
from studio.workspace.devices import name_devices
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

CURVE = "g"  # The metric that the strip under a film shows.
# Pictures may show these.
FILMED_EVENTS = ("changed", "resumed", "rejected", "rolled_back", "alarm", "failed")
MAX_EVENTS = 10_000

Film = TypeVar("Film", bound=FilmOptions)


@dataclass(frozen=True)
class OpenFilm(Generic[Film]):
    """A film whose run is open.

    Attributes:
        film: what was asked for.
        checkpoints: the run, opened once for all that is done with it.
        kept: ascending, the batches that have a checkpoint.
        options: how frames look, and which videos are made of them.
        file: the finished film.
        folder: where its parts are kept until it is whole.
        shown_px: height and width of what is shown of a point; a generator's picture if None.
        upscaler: makes its pictures larger; None where none does.
    """

    workspace: Workspace
    film: Film
    checkpoints: CheckpointRun
    kept: list[int]
    options: RenderOptions
    file: Path
    folder: Path
    shown_px: tuple[int, int] | None = None
    upscaler: RunUpscaler | None = None

    def enlargement(self, points: int) -> Enlargement | None:
        """How pictures are made larger, where a frame shows so many points.

        Raises:
            RenderError: the crop does not lie in the pictures.
        """
        if self.upscaler is None:
            return None
        side = self.checkpoints.spec.image_size
        return choose_enlargement(self.options, self.upscaler, (side, side), points)

    def source(self, plan: RenderPlan) -> CheckpointSource:
        """What the frames of a plan of this film are rendered from."""
        enlargement = self.enlargement(len(plan.labels))
        if self.upscaler is None or enlargement is None:
            return self.checkpoints
        return enlarge_source(self.checkpoints, self.upscaler, enlargement)

    @property
    def run(self) -> str:
        """The name of the run."""
        return self.checkpoints.name

    def points(self, texts: Sequence[str], *, or_fixed: bool = False) -> list[LatentPoint]:
        """The latent points that somebody named; the run's fixed points where that is allowed.

        Raises:
            StudioError: an unknown point, or none.
        """
        choose = points_or_fixed if or_fixed else resolve_points
        found = choose(self.workspace, self.run, texts, self.checkpoints.spec.z_dim)
        if or_fixed and not found:
            raise StudioError(
                f"Run '{self.run}' has no points of its own. Choose some, or write seed:1."
            )
        return found

    def describe_size(self) -> str | None:
        """What to tell a person if the film is not as large as was asked for.

        Raises:
            RenderError: the crop does not lie in the pictures, or the film would be too large.
        """
        if self.options.composition:
            return None
        side = self.checkpoints.spec.image_size
        shown = np.empty((*(self.shown_px or (side, side)), 3), np.uint8)
        cut = self.options.display.apply_crop(shown)
        height, width, _ = cut.shape
        return self.options.display.lay_out(width, height, self.options.encoder_for(1).even).remark

    def describe_rate(self) -> str | None:
        """What to tell a person who asked for no rate, if the format cannot play the usual one."""
        if self.film.fps is not None or self.film.is_composed or self.options.fps == USUAL_RATE:
            return None
        return (
            f"A {self.options.format.suffix} file cannot play {USUAL_RATE} frames per second: it "
            f"has {self.options.fps}. Choose another rate with --fps."
        )

    def remarks(self, batches: str = "") -> list[str]:
        """What to tell a person before the film is rendered.

        Args:
            batches: the choice of checkpoints, as it was written.

        Raises:
            RenderError: see `describe_size`.
        """
        said = (self.describe_size(), self.describe_rate(), describe_cut(self.kept, batches))
        return [remark for remark in said if remark is not None]

    def require_fit(self, frames: int, labels: Sequence[str] = ("",)) -> None:
        """Raise an error where so many frames cannot be such files on such devices.

        Args:
            labels: of what moves or stays in the film; each may have a video of its own.
        """
        self.describe_size()
        if self.options.composition and self.options.grid and self.shown_px is None:
            self.options.composition.require_points(len(labels))
        paths = output_paths(self.file, labels, self.options)
        for path in paths:
            require_film_place(path)
        refuse_foreign(self.folder, paths, self.film.overwrite)
        self.options.format.require_fit(frames, self.options.fps)
        choose_engine(self.film)


def open_film(workspace: Workspace, film: Film, run: str, kind: str) -> OpenFilm[Film]:
    """Open the run of a film, and choose where the film goes.

    What is asked for again in the same format goes to the same place, so that it is taken up where
    it was.

    Args:
        kind: such as "timelapse"; it names the film after the run.

    Raises:
        CheckpointError: there is no such run.
        RenderError: an option cannot be read.
        ReadOnlyWorkspaceError: the workspace cannot be written to, and the film has no place.
    """
    checkpoints = CheckpointIndex(workspace.runs)[run]
    options, name, out = film.render_options(), f"{run}-{kind}", film.out
    asked = film.identity() if out is None else str(out.absolute())
    digest = hashlib.sha256(asked.encode()).hexdigest()[:6]
    folder = film_folder(workspace, f"{name}-{digest}", out)
    file = default_file(folder, name, options.format) if out is None else out.absolute()
    upscaler = open_upscaler(workspace, film.upscale) if film.upscale else None
    opened = (workspace, film, checkpoints, checkpoints.batches, options, file, folder)
    return OpenFilm(*opened, upscaler=upscaler)


@dataclass(frozen=True)
class Outline(Generic[Film]):
    """Which frames a film has, before anything is rendered.

    Attributes:
        tracks: what is shown in every frame; a moving one has a latent point for each frame.
        batches: the checkpoint of each frame.
        numbers: the batch numbers that frames show, where these are not the checkpoints'.
        is_exact: whether there are exactly so many frames. What they show may still be chosen by
            what can be seen, once it was measured.
        measured: at how many checkpoints pictures are looked at before, to find the pace.
    """

    opened: OpenFilm[Film]
    tracks: Sequence[LatentPoint | Track]
    batches: Sequence[int]
    numbers: Sequence[int] = ()
    is_exact: bool = True
    measured: int = 0

    @property
    def labels(self) -> list[str]:
        """The labels of what is shown."""
        return [track.label for track in self.tracks]

    def plan(self) -> RenderPlan:
        """The plan of these frames."""
        return plan_film(self.opened, self.tracks, self.batches, numbers=self.numbers)


def count_frames(seconds: float, fps: Rate) -> int:
    """How many frames so many seconds are.

    Raises:
        StudioError: none, or more than an hour.
    """
    if not 0 < seconds <= MAX_SECONDS:
        raise StudioError(f"{seconds:g} seconds is out of range: use up to {MAX_SECONDS:g}.")
    return max(1, round(seconds * fps))


def choose_engine(film: FilmOptions) -> Engine:
    """What renders the parts.

    Raises:
        RenderError: a device is not there.
    """
    if film.engine == "ray":
        from renderers.jobs.cluster import render_parts_on_cluster

        return partial(render_parts_on_cluster, address=film.address)
    return partial(render_parts, devices=require_devices(name_devices(film.devices)))


def plan_film(
    opened: OpenFilm[Film],
    tracks: Sequence[LatentPoint | Track],
    batches: Sequence[int],
    *,
    options: RenderOptions | None = None,
    numbers: Sequence[int] = (),
    largest: int | None = None,
) -> RenderPlan:
    """The plan of a film of a run.

    Args:
        batches: the checkpoint of each frame.
        options: other ones than the film's own.
        numbers: the batch numbers that frames show, where these are not the checkpoints'.
        largest: the batch number that overlays have room for; the film's largest if None.
    """
    options = options or opened.options
    workspace, run, overlay = opened.workspace, opened.run, options.overlay
    labels, owed = [track.label for track in tracks], attribution_of(workspace, run)
    caption = Caption(
        numbers=tuple(numbers) if list(numbers) != list(batches) else (),
        run=run if "run" in overlay or options.composition else "",
        curve=_loss_curve(workspace, run, batches) if "curve" in overlay else (),
        largest=largest or max([*numbers, *batches]),
        events=_filmed_events(workspace, run) if "events" in overlay else (),
        attribution=owed if options.composition else "",
        tags=write_tags(run, numbers or batches, labels, owed, opened.film.spelled()),
    )
    videos = len(tracks) * options.points + options.grid
    weights, enlargement = opened.checkpoints.digests(batches), opened.enlargement(len(tracks))
    if opened.upscaler is not None and enlargement is not None:
        weights = [mark_weights(each, opened.upscaler, enlargement) for each in weights]
        options = enlarge_options(options)
    return make_plan(
        tracks,
        batches,
        replace(options, threads=share_threads(os.cpu_count() or 1, videos)),
        weights=weights,
        caption=caption,
        borders=opened.checkpoints.key_batches,
    )


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
        for event in reversed(list_events(workspace, run, MAX_EVENTS))
        if event.batch is not None and event.kind in FILMED_EVENTS
    ]
    return tuple(sorted(events, key=lambda event: event[0]))
