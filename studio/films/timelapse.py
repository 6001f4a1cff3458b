"""Time-lapses of runs, finished or still training."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from checkpoints_index.errors import DamagedCheckpointError, name_some
from checkpoints_index.storage.catalogue import open_catalogue
from latent.points import LatentPoint
from renderers.compositions.composition import HOLD_S, MAP
from renderers.files import read_json, write_json
from renderers.jobs.following import follow_film
from renderers.jobs.rendering import render_film
from renderers.plan.outputs import Video
from renderers.plan.pacing import (
    count_measured,
    measure_change,
    spread,
    spread_change,
    watchable_frames,
)
from renderers.plan.part_work import Engine
from renderers.plan.render_plan import RenderPlan
from renderers.progress import OnProgress
from studio.films.lit_places import place_on_map
from studio.films.options.film_options import Timelapse
from studio.films.planning import (
    OpenFilm,
    Outline,
    choose_engine,
    count_frames,
    open_film,
    plan_film,
)
from studio.runs.config import TrainingConfig
from studio.runs.selection import Choice, choose_frames
from studio.runs.status import run_status
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Say, ignore_line

FOLLOWED_PART_FRAMES = 100  # Short parts, so that a growing film grows often.
LOW_PRIORITY = 10  # Niceness of a process that renders while the run trains.
MAX_NAMED = 8


def check_timelapse(workspace: Workspace, film: Timelapse) -> None:
    """Refuse a film that cannot be made, before anything is rendered.

    Raises:
        StudioError: or an error of the libraries: unknown run or points, gaps among the batches, a
            missing device, too many frames for the format, or options that need to know
            how a followed run ends.
    """
    _check(_open(workspace, film))


def _check(opened: OpenFilm[Timelapse]) -> None:
    film = opened.film
    labels = [point.label for point in _find_points(opened)[1]]
    if film.follow:
        _require_open_end(opened)
        return opened.require_fit(1, labels)
    frames = _count_film_frames(film, len(_choose_frames(opened).batches))
    return opened.require_fit(frames or 1, labels)


def outline_timelapse(workspace: Workspace, film: Timelapse) -> Outline[Timelapse]:
    """The frames of a time-lapse. Where what can be seen decides, they are spread evenly instead.

    Raises:
        StudioError: or an error of the libraries, as `check_timelapse`.
    """
    opened = _open(workspace, film)
    _check(opened)
    opened, points = _find_points(opened)
    choice = _choose_frames(opened)
    known = _count_film_frames(film, len(choice.batches))
    frames, held = known or len(choice.batches), _count_held(film, known)
    shown = _hold_last(spread(len(choice.batches), frames - held), held)
    return Outline(
        opened,
        points,
        [choice.batches[position] for position in shown],
        [choice.numbers[position] for position in shown],
        is_exact=known is not None and not (film.follow or film.skip_damaged),
        measured=count_measured(choice.batches) if film.understood_pace != "batch" else 0,
    )


def film_timelapse(
    workspace: Workspace, film: Timelapse, on_progress: OnProgress, say: Say = ignore_line
) -> list[Video]:
    """One frame a checkpoint, for all points in one pass; killed, the same call goes on.

    Args:
        say: told what a person should know, such as which frames were left out.

    Raises:
        StudioError: or an error of the libraries, as `check_timelapse`; or the disk is full.
    """
    opened = _open(workspace, film)
    opened, points = _find_points(opened)
    engine = choose_engine(film)
    if film.follow:
        return _follow(opened, points, on_progress)
    for remark in opened.remarks(film.batches):
        say(remark)
    choice = _choose(opened, on_progress, say)
    shown = _pace(opened, points, choice.batches, engine, on_progress)
    plan = plan_film(
        opened,
        points,
        [choice.batches[position] for position in shown],
        numbers=[choice.numbers[position] for position in shown],
    )
    try:
        return render_film(
            *(opened.source(plan), plan, opened.folder, opened.file, engine, on_progress),
            overwrite=film.overwrite,
        )
    except DamagedCheckpointError as error:
        raise StudioError(f"{error}, or film the others: --skip-damaged") from error


def _open(workspace: Workspace, film: Timelapse) -> OpenFilm[Timelapse]:
    return open_film(workspace, film, film.run, "timelapse")


def _follow(
    opened: OpenFilm[Timelapse], points: Sequence[LatentPoint], on_progress: OnProgress
) -> list[Video]:
    """Film a run while it trains, until it ends; what is there so far can be played at any time."""
    _require_open_end(opened)
    workspace, run, film = opened.workspace, opened.run, opened.film
    shorter = min(FOLLOWED_PART_FRAMES, opened.options.part_frames)
    growing = replace(opened.options, part_frames=shorter)
    largest = _expected_batches(workspace, run)

    def has_ended() -> bool:
        status = run_status(workspace, open_catalogue(workspace.runs, run))
        return status not in ("training", "paused")

    def plan_now() -> tuple[RenderPlan | None, bool]:
        is_over = has_ended()
        kept = opened.checkpoints.batches
        if not kept:
            return None, is_over
        choice = choose_frames(kept, film.batches, run, film.missing)
        plan = plan_film(
            opened,
            points,
            choice.batches,
            options=growing,
            numbers=choice.numbers,
            largest=max(largest, choice.numbers[-1]),
        )
        return plan, is_over

    if not has_ended():
        os.nice(LOW_PRIORITY)
    return follow_film(
        *(opened.checkpoints, plan_now, opened.folder, opened.file, choose_engine(film)),
        on_progress,
        overwrite=film.overwrite,
    )


def _require_open_end(opened: OpenFilm[Timelapse]) -> None:
    """Refuse to follow a run with a film that needs to know how the run ends."""
    film = opened.film
    is_open = film.is_exact and not film.last and not film.is_composed
    if not is_open or film.upscale or "curve" in opened.options.overlay:
        raise StudioError(
            "A film that follows its run shows every checkpoint as it lands: leave out --pace, "
            "--duration, --last, --upscale, the curve and a composition, or render it again when "
            "the run has ended."
        )


def _choose_frames(opened: OpenFilm[Timelapse]) -> Choice:
    film, kept = opened.film, opened.kept
    kept = kept if film.last is None else kept[-film.last :]
    return choose_frames(kept, film.batches, opened.run, film.missing)


def _choose(opened: OpenFilm[Timelapse], on_progress: OnProgress, say: Say) -> Choice:
    """The frames to show, without those of damaged checkpoints where these are to be skipped."""
    choice = _choose_frames(opened)
    if not opened.film.skip_damaged:
        return choice
    damaged = opened.checkpoints.find_damaged(sorted(set(choice.batches)), on_progress)
    if damaged:
        named = name_some([f"{b} ({reason})" for b, reason in damaged.items()], MAX_NAMED)
        say(f"Left out, since their checkpoints are damaged: {named}.")
    whole = [k for k, batch in enumerate(choice.batches) if batch not in damaged]
    if not whole:
        raise StudioError(
            f"Every chosen checkpoint of run '{opened.run}' is damaged: studio verify {opened.run}"
        )
    return Choice([choice.numbers[k] for k in whole], [choice.batches[k] for k in whole])


def _pace(
    opened: OpenFilm[Timelapse],
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    engine: Engine,
    on_progress: OnProgress,
) -> np.ndarray:
    """Which of the batches each frame shows: positions, ascending, int [frames]."""
    film = opened.film
    frames = _count_film_frames(film, len(batches))
    held = _count_held(film, frames)
    moving = None if frames is None else frames - held
    if film.understood_pace == "batch":
        return _hold_last(spread(len(batches), moving or len(batches)), held)
    change = _remembered_change(opened, points, batches, engine, on_progress)
    return _hold_last(spread_change(change, moving), held)


def _find_points(opened: OpenFilm[Timelapse]) -> tuple[OpenFilm[Timelapse], list[LatentPoint]]:
    """The points of a film, and of a map also where they lie on it."""
    composition = opened.options.composition
    if composition is None or composition.kind != MAP:
        return opened, opened.points(opened.film.points, or_fixed=True)
    points, composition = place_on_map(opened)
    return replace(opened, options=replace(opened.options, composition=composition)), points


def _count_film_frames(film: Timelapse, checkpoints: int) -> int | None:
    """How many frames a film has; None where what can be seen decides."""
    if film.duration is not None:
        return count_frames(film.duration, film.rate())
    if film.is_exact:
        return checkpoints
    if not film.is_composed:
        return None
    return watchable_frames(checkpoints, film.rate()) + round(HOLD_S * film.rate())


def _count_held(film: Timelapse, frames: int | None) -> int:
    """For how many of the frames the last one stands still; a third of a length that was chosen."""
    if frames is None or not film.is_composed or film.is_exact:
        return 0
    held = round(HOLD_S * film.rate())
    return held if film.duration is None else min(held, frames // 3)


def _hold_last(shown: np.ndarray, held: int) -> np.ndarray:
    return np.concatenate([shown, np.full(held, shown[-1])])


def _remembered_change(
    opened: OpenFilm[Timelapse],
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    engine: Engine,
    on_progress: OnProgress,
) -> np.ndarray:
    """`measure_change`, once for the same weights and points: float64 [batches]."""
    checkpoints, folder = opened.checkpoints, opened.folder
    digest = hashlib.sha256("".join(checkpoints.digests(batches)).encode())
    for point in points:
        digest.update(point.z.numpy().tobytes())
    remembered = read_json(folder / "change.json") or {}
    if remembered.get("digest") != digest.hexdigest():
        once = sorted(set(batches))
        measured = folder / f"change-{digest.hexdigest()[:16]}"
        change = measure_change(checkpoints, points, once, measured, engine, on_progress)
        remembered = {"digest": digest.hexdigest(), "batches": once, "change": change.tolist()}
        write_json(remembered, folder / "change.json")
        shutil.rmtree(measured, ignore_errors=True)
    of_batch = dict(zip(remembered["batches"], remembered["change"], strict=True))
    return np.array([of_batch.pop(batch, 0.0) for batch in batches])


def _expected_batches(workspace: Workspace, run: str) -> int:
    """How many batches the run is to have, as far as anybody knows."""
    path = workspace.run_config(run)
    return TrainingConfig.read(path).batches if path.exists() else 0
