"""Time-lapses of runs, finished or still training."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from checkpoints_index import CheckpointRun
from checkpoints_index.errors import DamagedCheckpointError, name_some
from checkpoints_index.storage.catalogue import open_catalogue
from latent.points import LatentPoint
from renderers.files import read_json, write_json
from renderers.jobs.following import follow_film
from renderers.jobs.rendering import render_film
from renderers.plan.outputs import Video
from renderers.plan.pacing import measure_change, spread, spread_change
from renderers.plan.render_plan import RenderPlan
from studio.films.film_options import Rendering, Timelapse
from studio.films.planning import (
    choose_engine,
    choose_places,
    count_frames,
    describe_size,
    open_run,
    plan_film,
)
from studio.runs.config import TrainingConfig
from studio.runs.selection import Choice, choose_frames
from studio.runs.status import run_status
from studio.specimens.points import points_or_fixed
from studio.workspace.devices import choose_devices
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import OnProgress, Say, say_nothing

FOLLOWED_PART_FRAMES = 100  # short parts, so that a growing film grows often
LOW_PRIORITY = 10  # of a process that renders while the run trains
MOST_NAMED = 8


def film_timelapse(
    workspace: Workspace,
    run: str,
    wish: Timelapse,
    rendering: Rendering,
    on_progress: OnProgress,
    say: Say = say_nothing,
) -> list[Video]:
    """One frame a checkpoint, for all points in one pass; killed, the same call goes on.

    Args:
        say: told what a person should know, such as which frames were left out.

    Raises:
        StudioError: unknown run or points, gaps among the batches, a missing device, a full disk.
    """
    checkpoints = open_run(workspace, run)
    points = points_or_fixed(workspace, run, wish.points)
    file, folder = choose_places(workspace, f"{run}-timelapse", wish, rendering)
    engine = choose_engine(rendering)
    if remark := describe_size(checkpoints, rendering.options):
        say(remark)
    choice = _choose(checkpoints, wish, on_progress, say)
    shown = _pace(checkpoints, points, choice.batches, wish, rendering, folder, on_progress)
    plan = plan_film(
        workspace,
        checkpoints,
        points,
        [choice.batches[position] for position in shown],
        rendering,
        numbers=[choice.numbers[position] for position in shown],
    )
    try:
        return render_film(checkpoints, plan, folder, file, engine, on_progress)
    except DamagedCheckpointError as error:
        raise StudioError(f"{error}, or film the others: --skip-damaged") from error


def follow_timelapse(
    workspace: Workspace,
    run: str,
    wish: Timelapse,
    rendering: Rendering,
    on_progress: OnProgress,
) -> list[Video]:
    """Film a run while it trains, until it ends; what is there so far can be played at any time.

    Raises:
        StudioError: as `film_timelapse`; or the wish needs to know how the run ends.
    """
    needs_the_end = wish.pace != "batch" or wish.duration_s or wish.last
    if needs_the_end or "curve" in rendering.options.overlay:
        raise StudioError(
            "A film that follows its run shows every checkpoint as it lands: leave out --pace, "
            "--duration, --last and the curve, or render it again when the run has ended."
        )
    checkpoints = open_run(workspace, run)
    points = points_or_fixed(workspace, run, wish.points)
    file, folder = choose_places(workspace, f"{run}-timelapse", wish, rendering)
    shorter = min(FOLLOWED_PART_FRAMES, rendering.options.part_frames)
    growing = replace(rendering, options=replace(rendering.options, part_frames=shorter))
    largest = _expected_batches(workspace, run)

    def has_ended() -> bool:
        status = run_status(workspace, open_catalogue(workspace.runs, run))
        return status not in ("training", "paused")

    def plan_now() -> tuple[RenderPlan | None, bool]:
        is_over = has_ended()
        kept = checkpoints.batches
        if not kept:
            return None, is_over
        choice = choose_frames(kept, wish.batches, run, wish.missing)
        chosen, numbers = choice.batches, choice.numbers
        room = max(largest, numbers[-1])
        return plan_film(
            workspace, checkpoints, points, chosen, growing, numbers=numbers, largest=room
        ), is_over

    if not has_ended():
        os.nice(LOW_PRIORITY)
    return follow_film(checkpoints, plan_now, folder, file, choose_engine(rendering), on_progress)


def _choose(
    checkpoints: CheckpointRun, wish: Timelapse, on_progress: OnProgress, say: Say
) -> Choice:
    kept = checkpoints.batches
    if wish.last is not None:
        if wish.last < 1:
            raise StudioError(f"The last {wish.last} checkpoints are none: use 1 or more.")
        kept = kept[-wish.last :]
    choice = choose_frames(kept, wish.batches, checkpoints.name, wish.missing)
    if not wish.skip_damaged:
        return choice
    damaged = checkpoints.find_damaged(sorted(set(choice.batches)), on_progress)
    if damaged:
        named = name_some([f"{b} ({reason})" for b, reason in damaged.items()], MOST_NAMED)
        say(f"Left out, since their checkpoints are damaged: {named}.")
    whole = [k for k, batch in enumerate(choice.batches) if batch not in damaged]
    if not whole:
        raise StudioError(
            f"Every chosen checkpoint of run '{checkpoints.name}' is damaged: "
            f"studio verify {checkpoints.name}"
        )
    return Choice([choice.numbers[k] for k in whole], [choice.batches[k] for k in whole])


def _pace(
    checkpoints: CheckpointRun,
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    wish: Timelapse,
    rendering: Rendering,
    folder: Path,
    on_progress: OnProgress,
) -> np.ndarray:
    """Which of the batches each frame shows: positions, ascending."""
    fps, duration_s = rendering.options.fps, wish.duration_s
    frames = None if duration_s is None else count_frames(duration_s, fps)
    if wish.pace == "batch":
        return spread(len(batches), frames or len(batches))
    change = _remembered_change(checkpoints, points, batches, folder, on_progress)
    return spread_change(change, frames)


def _remembered_change(
    checkpoints: CheckpointRun,
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    folder: Path,
    on_progress: OnProgress,
) -> np.ndarray:
    """`measure_change`, once for the same weights and points."""
    digest = hashlib.sha256("".join(checkpoints.digests(batches)).encode())
    for point in points:
        digest.update(point.z.numpy().tobytes())
    remembered = read_json(folder / "change.json") or {}
    if remembered.get("digest") != digest.hexdigest():
        once = sorted(set(batches))
        device = choose_devices()[0]
        change = measure_change(checkpoints, points, once, device, on_progress)
        remembered = {"digest": digest.hexdigest(), "batches": once, "change": change.tolist()}
        write_json(remembered, folder / "change.json")
    of_batch = dict(zip(remembered["batches"], remembered["change"], strict=True))
    return np.array([of_batch.pop(batch, 0.0) for batch in batches])


def _expected_batches(workspace: Workspace, run: str) -> int:
    """How many batches the run is to have, as far as anybody knows."""
    path = workspace.run_config(run)
    return TrainingConfig.read(path).batches if path.exists() else 0
