"""Films of a latent point that moves: at one checkpoint, along training, or from key to key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from checkpoints_index.generators.spec import GeneratorSpec
from latent import easing, routes
from latent.key_frames import follow_key_frames, parse_key_frames
from latent.mixing.walks import walk_near
from latent.points import LatentPoint
from latent.trajectories import circle, noise_path, orbit
from renderers.jobs.rendering import render_film
from renderers.plan.outputs import Video
from renderers.plan.pacing import spread
from renderers.plan.render_plan import Track
from renderers.progress import OnProgress
from studio.films.options.film_options import (
    DEFAULT_SECONDS,
    FilmOptions,
    Interpolation,
    KeyFramedPath,
    WalkNear,
)
from studio.films.planning import (
    Film,
    OpenFilm,
    Outline,
    choose_engine,
    count_frames,
    open_film,
    plan_film,
)
from studio.runs.selection import choose_batches, last_batch, nearest_batch
from studio.specimens.points import resolve_point
from studio.specimens.supports import describe_outside
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Say, ignore_line

CIRCLE, NOISE = "circle", "noise"
SECONDS_PER_NOISE_SEGMENT = 2.0  # In this time noise goes about as far as from one city to another.


def check_interpolation(workspace: Workspace, film: Interpolation) -> None:
    """Refuse a film that cannot be made, before anything is rendered.

    Raises:
        StudioError: or an error of the libraries: unknown run, batch or point, too few points, or
            too many frames for the format.
    """
    opened, _, z, _ = _move(workspace, film)
    opened.require_fit(len(z))


def outline_interpolation(workspace: Workspace, film: Interpolation) -> Outline[Interpolation]:
    """The frames of an interpolation.

    Raises:
        StudioError: or an error of the libraries, as `check_interpolation`.
    """
    return _outline(*_move(workspace, film))


def film_interpolation(
    workspace: Workspace, film: Interpolation, on_progress: OnProgress, say: Say = ignore_line
) -> Video:
    """Film a moving latent point; killed, the same call goes on.

    Raises:
        StudioError: or an error of the libraries, as `check_interpolation`.
    """
    return _film(*_move(workspace, film), on_progress, say)


def check_path(workspace: Workspace, film: KeyFramedPath) -> None:
    """Refuse a path that cannot be filmed, before anything is rendered.

    Raises:
        StudioError: or an error of the libraries: a path that cannot be read, unknown points, no
            checkpoints, or too many frames for the format.
    """
    opened, _, z, _ = _follow_keys(workspace, film)
    opened.require_fit(len(z))


def outline_path(workspace: Workspace, film: KeyFramedPath) -> Outline[KeyFramedPath]:
    """The frames of a path.

    Raises:
        StudioError: or an error of the libraries, as `check_path`.
    """
    return _outline(*_follow_keys(workspace, film))


def film_path(
    workspace: Workspace, film: KeyFramedPath, on_progress: OnProgress, say: Say = ignore_line
) -> Video:
    """Film a path on which batch and latent point move together; killed, the same call goes on.

    Raises:
        StudioError: or an error of the libraries, as `check_path`.
    """
    return _film(*_follow_keys(workspace, film), on_progress, say)


def check_walk(workspace: Workspace, film: WalkNear) -> None:
    """Refuse a walk that cannot be filmed, before anything is rendered.

    Raises:
        StudioError: or an error of the libraries: unknown run, batch or point, a point around
            which nothing lies, or too many frames for the format.
    """
    opened, _, z, _ = _walk(workspace, film)
    opened.require_fit(len(z))


def film_walk(
    workspace: Workspace, film: WalkNear, on_progress: OnProgress, say: Say = ignore_line
) -> Video:
    """Film a walk near a point; killed, the same call goes on.

    Raises:
        StudioError: or an error of the libraries, as `check_walk`.
    """
    return _film(*_walk(workspace, film), on_progress, say)


# The points that were named, z float32 [frames, z_dim], and the batch of each frame.
Move = tuple[OpenFilm[Film], list[LatentPoint], Tensor, list[int]]


def _move(workspace: Workspace, film: Interpolation) -> Move[Interpolation]:
    film.require_one_length()
    along = film.batches is not None
    kind = "interpolation" if along or film.batch is None else f"interpolation-{film.batch}"
    opened = open_film(workspace, film, film.run, kind)
    points = opened.points(film.points)
    z = _route(film, points, opened.checkpoints.spec)
    kept = opened.kept
    if film.batches is not None:
        chosen = choose_batches(kept, film.batches, opened.run, skip_missing=True)
        return opened, points, z, [chosen[position] for position in spread(len(chosen), len(z))]
    batch = last_batch(kept, opened.run) if film.batch is None else film.batch
    choose_batches(kept, str(batch), opened.run)
    return opened, points, z, [batch] * len(z)


def _walk(workspace: Workspace, film: WalkNear) -> Move[WalkNear]:
    opened = open_film(workspace, film, film.run, "walk")
    spec = opened.checkpoints.spec
    spec.require_drawn(opened.run)
    point = resolve_point(workspace, opened.run, film.point, spec.z_dim)
    batch = last_batch(opened.kept, opened.run) if film.batch is None else film.batch
    choose_batches(opened.kept, str(batch), opened.run)
    frames = count_frames(film.seconds, film.rate())
    # The walk is one of N(0, I), which a generator of another distribution shapes.
    center, segments = spec.unshape_z(point.z), _noise_segments(frames, film)
    path = walk_near(center, frames, film.radius, segments=segments, seed=film.seed)
    z = spec.shape_z(path)
    z[0] = point.z
    return opened, [point], z, [batch] * frames


def _noise_segments(frames: int, film: FilmOptions) -> float:
    """How many random points a noise passes by in so many frames."""
    return max(1.0, frames / film.rate() / SECONDS_PER_NOISE_SEGMENT)


def _follow_keys(workspace: Workspace, film: KeyFramedPath) -> Move[KeyFramedPath]:
    keys = parse_key_frames(film.keys)
    opened = open_film(workspace, film, film.run, "path")
    last_batch(opened.kept, opened.run)
    spec = opened.checkpoints.spec
    points = [resolve_point(workspace, opened.run, key.point, spec.z_dim) for key in keys]
    frames = count_frames(film.seconds, film.rate())
    wanted, path = follow_key_frames(
        *([key.batch for key in keys], [spec.unshape_z(point.z) for point in points], frames),
        film.kind,
        easing=film.easing,
    )
    batches = [nearest_batch(opened.kept, batch) for batch in wanted.tolist()]
    return opened, points, spec.shape_z(path), batches


def _outline(
    opened: OpenFilm[Film], points: Sequence[LatentPoint], z: Tensor, batches: Sequence[int]
) -> Outline[Film]:
    opened.require_fit(len(z))
    return Outline(opened, [Track(opened.folder.name.rpartition("-")[0], z)], batches)


def _film(
    opened: OpenFilm[Film],
    points: Sequence[LatentPoint],
    z: Tensor,
    batches: Sequence[int],
    on_progress: OnProgress,
    say: Say,
) -> Video:
    for remark in opened.remarks(getattr(opened.film, "batches", None) or ""):
        say(remark)
    for remark in describe_outside(opened.checkpoints, points):
        say(remark)
    name = opened.folder.name.rpartition("-")[0]
    engine = choose_engine(opened.film)
    plan = plan_film(opened, [Track(name, z)], batches)
    (video,) = render_film(
        *(opened.source(plan), plan, opened.folder, opened.file, engine, on_progress),
        overwrite=opened.film.overwrite,
    )
    return replace(video, label=name)


def _route(film: Interpolation, points: Sequence[LatentPoint], spec: GeneratorSpec) -> Tensor:
    """Where the point is in every frame, float32 [frames, z_dim], in the run's distribution.

    It moves among the points of N(0, I) that those of another distribution are shaped from.
    """
    return spec.shape_z(_lead(film, [spec.unshape_z(point.z) for point in points], spec.z_dim))


def _lead(film: Interpolation, points: Sequence[Tensor], z_dim: int) -> Tensor:
    """Where the point of N(0, I) is in every frame, float32 [frames, z_dim]."""
    if film.kind == CIRCLE:
        return _circle(points, _count_frames(film, 1), film.seed)
    if film.kind == NOISE:
        frames = _count_frames(film, 1)
        segments = _noise_segments(frames, film)
        return noise_path(z_dim, frames, segments=segments, loop=film.loop, seed=film.seed)
    frames = _count_frames(film, len(points))
    return routes.route(points, frames, film.kind, loop=film.loop, easing=film.easing)


def _circle(points: Sequence[Tensor], frames: int, seed: int) -> Tensor:
    """Around one point, or through one towards another and on around the origin."""
    if len(points) == 2:
        return circle(points[0], frames, toward=points[1])
    if len(points) != 1:
        raise StudioError(f"A circle goes around one point, or through two; not {len(points)}.")
    return orbit(points[0], frames, seed=seed)


def _count_frames(film: Interpolation, stops: int) -> int:
    """Frames of the film, by its seconds or by those between stops."""
    if film.seconds_per_segment is None:
        return count_frames(DEFAULT_SECONDS if film.seconds is None else film.seconds, film.rate())
    per_edge = count_frames(film.seconds_per_segment, film.rate())
    frames = easing.count_frames(stops, per_edge, film.loop) if stops > 1 else per_edge
    return count_frames(float(frames / film.rate()), film.rate())
