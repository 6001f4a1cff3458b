"""Render a film that grows while its run trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from renderers.files import locked
from renderers.frames.source import CheckpointSource
from renderers.jobs.claims import claim
from renderers.jobs.parts import PartFolder
from renderers.jobs.rendering import finish, join, keep_plan, render_missing
from renderers.plan.outputs import Video, output_paths
from renderers.plan.part_work import Engine
from renderers.plan.render_plan import RenderPlan
from renderers.progress import OnProgress, ignore_progress

POLL_S = 3.0  # New checkpoints are looked for this often.


def follow_film(
    source: CheckpointSource,
    plan_now: Callable[[], tuple[RenderPlan | None, bool]],
    folder: Path | str,
    file: Path | str,
    engine: Engine,
    on_progress: OnProgress = ignore_progress,
    poll_s: float = POLL_S,
    overwrite: bool = False,
) -> list[Video]:
    """Render what has landed again and again; the film so far can be played at any time.

    Parts are rendered once they are full, and the last one when the run is over. Killed at any
    moment, the same call goes on where it was.

    Args:
        plan_now: the plan of all checkpoints so far, None while there are none, and whether no
            more will come.
        poll_s: seconds between two calls of plan_now.
        overwrite: see `rendering.render_film`.

    Returns:
        The finished videos; none where the run ended without a checkpoint.

    Raises:
        RenderError: see `rendering.render_film`.
    """
    folder, joined = Path(folder), 0
    with locked(folder):
        while True:
            plan, is_over = plan_now()
            if is_over:
                break
            if plan is not None and len(plan.parts) - 1 > joined:
                paths = output_paths(file, plan.labels, plan.options)
                claim(folder, plan, paths, overwrite)
                joined = _extend(source, plan, folder, paths, engine, on_progress)
            time.sleep(poll_s)
        if plan is None:
            return []
        return finish(source, plan, folder, file, engine, on_progress, overwrite or joined > 0)


def _extend(
    source: CheckpointSource,
    plan: RenderPlan,
    folder: Path,
    paths: Sequence[Path],
    engine: Engine,
    on_progress: OnProgress,
) -> int:
    """Render and join all parts but the last, which is still growing; return their number."""
    plan = keep_plan(folder, plan.first_parts(len(plan.parts) - 1))
    parts = PartFolder(folder / "parts", plan)
    render_missing(source, parts, parts.missing(), engine, on_progress)
    join(parts, paths)
    return len(plan.parts)
