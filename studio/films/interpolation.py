"""Films of a latent point that moves: at one checkpoint, along training, or from key to key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from latent import easing, routes
from latent.key_frames import follow_key_frames, parse_key_frames
from latent.trajectories import circle, noise_path, orbit
from renderers.jobs.rendering import render_film
from renderers.plan.outputs import Video
from renderers.plan.pacing import spread
from renderers.plan.render_plan import Track
from studio.films.film_options import Interpolation, KeyFramed, Rendering
from studio.films.planning import (
    choose_engine,
    choose_places,
    count_frames,
    describe_size,
    open_run,
    plan_film,
)
from studio.runs.selection import choose_batches, last_batch, nearest_batch
from studio.specimens.points import resolve_points
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import OnProgress, Say, say_nothing

CIRCLE, NOISE = "circle", "noise"
KINDS = (*routes.KINDS, CIRCLE, NOISE)
DEFAULT_SECONDS = 10.0
SECONDS_PER_NOISE_LEG = 2.0  # in which noise goes about as far as from one city to another


def film_interpolation(
    workspace: Workspace,
    run: str,
    wish: Interpolation,
    rendering: Rendering,
    on_progress: OnProgress,
    say: Say = say_nothing,
) -> Video:
    """Film a moving latent point; killed, the same call goes on.

    Raises:
        StudioError: unknown run, batch or point, too few points, or seconds out of range.
    """
    checkpoints = open_run(workspace, run)
    points = [point.z for point in resolve_points(workspace, run, wish.points)]
    z = _route(wish, points, checkpoints.spec.z_dim, rendering.options.fps)
    kept = checkpoints.batches
    if wish.batches is not None:
        along = choose_batches(kept, wish.batches, run, skip_missing=True)
        batches = [along[position] for position in spread(len(along), len(z))]
        name = f"{run}-interpolation"
    else:
        batch = last_batch(kept, run) if wish.batch is None else wish.batch
        batches, name = [batch] * len(z), f"{run}-interpolation-{batch}"
    return _film(workspace, run, name, z, batches, wish, rendering, on_progress, say)


def film_key_frames(
    workspace: Workspace,
    run: str,
    wish: KeyFramed,
    rendering: Rendering,
    on_progress: OnProgress,
    say: Say = say_nothing,
) -> Video:
    """Film a path on which batch and latent point move together.

    Raises:
        StudioError: a path that cannot be read, unknown points, or no checkpoints.
    """
    keys = parse_key_frames(wish.keys)
    kept = open_run(workspace, run).batches
    last_batch(kept, run)
    points = [p.z for p in resolve_points(workspace, run, [key.point for key in keys])]
    frames = count_frames(wish.seconds, rendering.options.fps)
    wanted, z = follow_key_frames(
        [key.batch for key in keys], points, frames, wish.kind, easing=wish.easing
    )
    batches = [nearest_batch(kept, batch) for batch in wanted.tolist()]
    return _film(workspace, run, f"{run}-path", z, batches, wish, rendering, on_progress, say)


def _film(
    workspace: Workspace,
    run: str,
    name: str,
    z: Tensor,
    batches: Sequence[int],
    wish: Interpolation | KeyFramed,
    rendering: Rendering,
    on_progress: OnProgress,
    say: Say,
) -> Video:
    checkpoints = open_run(workspace, run)
    if remark := describe_size(checkpoints, rendering.options):
        say(remark)
    alone = replace(rendering, options=replace(rendering.options, points=False, grid=True))
    file, folder = choose_places(workspace, name, wish, alone)
    engine = choose_engine(alone)
    plan = plan_film(workspace, checkpoints, [Track(name, z)], batches, alone)
    (video,) = render_film(checkpoints, plan, folder, file, engine, on_progress)
    return replace(video, label=name)


def _route(wish: Interpolation, points: Sequence[Tensor], z_dim: int, fps: int) -> Tensor:
    """Where the point is in every frame, float32 [frames, z_dim]."""
    if wish.kind == CIRCLE:
        return _circle(points, _frames(wish, 1, fps), wish.seed)
    if wish.kind == NOISE:
        frames = _frames(wish, 1, fps)
        segments = max(1.0, frames / fps / SECONDS_PER_NOISE_LEG)
        return noise_path(z_dim, frames, segments=segments, loop=wish.loop, seed=wish.seed)
    frames = _frames(wish, len(points), fps)
    return routes.route(points, frames, wish.kind, loop=wish.loop, easing=wish.easing)


def _circle(points: Sequence[Tensor], frames: int, seed: int) -> Tensor:
    """Around one point, or through one towards another and on around the origin."""
    if len(points) == 2:
        return circle(points[0], frames, toward=points[1])
    if len(points) != 1:
        raise StudioError(f"A circle goes around one point, or through two; not {len(points)}.")
    return orbit(points[0], frames, seed=seed)


def _frames(wish: Interpolation, stops: int, fps: int) -> int:
    """Frames of the film, by its seconds or by those of each leg."""
    if wish.seconds is not None and wish.seconds_per_leg is not None:
        raise StudioError("Give the seconds of the whole film or those of each leg, not both.")
    if wish.seconds_per_leg is None:
        return count_frames(DEFAULT_SECONDS if wish.seconds is None else wish.seconds, fps)
    per_leg = count_frames(wish.seconds_per_leg, fps)
    frames = easing.count_frames(stops, per_leg, wish.loop) if stops > 1 else per_leg
    return count_frames(frames / fps, fps)
