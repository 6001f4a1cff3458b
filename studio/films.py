"""Films of runs: time-lapses and interpolations, from what a person may write."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch

from checkpoints_index import CheckpointIndex
from latent.errors import UserError
from latent.interpolation import walk
from renderers.interpolation import render_interpolation
from renderers.outputs import Video
from renderers.plan import RenderOptions
from renderers.timelapse import render_timelapse
from studio.devices import choose_device
from studio.points import FIXED, points_of, resolve_points
from studio.progress import OnProgress
from studio.workspace import Workspace

MOST_GAPS_NAMED = 5
LONGEST_SECONDS = 3600.0


def film_timelapse(
    workspace: Workspace,
    run: str,
    points: Sequence[str],
    batches: str,
    options: RenderOptions,
    on_progress: OnProgress,
    *,
    devices: Sequence[str] = (),
    skip_missing: bool = False,
    out: Path | None = None,
) -> list[Video]:
    """One frame a checkpoint, for all points in one pass; killed, the same call goes on.

    Args:
        points: labels, seeds or JPEGs; the run's fixed points where there are none.
        batches: see `choose_batches`.
        devices: such as `cuda:0`; the best there is by default.
        out: FILE.mp4; a place in the workspace's renders by default.

    Raises:
        UserError: unknown run or points, gaps among the batches, a missing device, a full disk.
    """
    checkpoints = CheckpointIndex(workspace.runs)[run]
    wanted = choose_batches(checkpoints.batches, batches, run, skip_missing)
    chosen = resolve_points(workspace, run, points) or points_of(workspace, run, FIXED)
    file, folder = _places(workspace, f"{run}-timelapse", [batches, *points], out)
    return render_timelapse(
        checkpoints,
        chosen,
        wanted,
        folder,
        file,
        options=options,
        weights_digest=checkpoints.digest(wanted),
        borders=checkpoints.key_batches,
        devices=devices or [choose_device()],
        on_progress=on_progress,
    )


def film_interpolation(
    workspace: Workspace,
    run: str,
    batch: int | None,
    points: Sequence[str],
    seconds: float,
    options: RenderOptions,
    on_progress: OnProgress,
    *,
    device: str | None = None,
    out: Path | None = None,
) -> Video:
    """Walk from point to point along great circles, at one checkpoint.

    Args:
        batch: the checkpoint; the last one by default.

    Raises:
        UserError: unknown run, batch or point, fewer than two points, or seconds out of range.
    """
    if not 0 < seconds <= LONGEST_SECONDS:
        raise UserError(f"{seconds:g} seconds is out of range: use up to {LONGEST_SECONDS:g}.")
    checkpoints = CheckpointIndex(workspace.runs)[run]
    if batch is None:
        batch = last_batch(checkpoints.batches, run)
    chosen = resolve_points(workspace, run, points)
    route = walk([point.z for point in chosen], round(seconds * options.fps))
    request = [str(seconds), str(options.fps), *points]
    file, _ = _places(workspace, f"{run}-interpolation-{batch}", request, out)
    G = checkpoints.generator(batch, torch.device(device or choose_device()))
    return render_interpolation(G, route, file, options, on_progress)


def choose_batches(
    kept: Sequence[int], text: str, run: str, skip_missing: bool = False
) -> list[int]:
    """The batches that a person means.

    Args:
        kept: ascending, those that have a checkpoint.
        text: empty for all, `FROM:TO` or `FROM:TO:STEP` (half-open, as in Python), or `1,50,200`.
            A range is cut to what lies between the first and the last checkpoint.
        skip_missing: leave out those that have no checkpoint, rather than refuse.

    Raises:
        UserError: it cannot be read, selects nothing, or some have no checkpoint.

    Example:
        >>> choose_batches([1, 2, 3, 4, 5], "0:5:2", "city")
        [2, 4]
    """
    last = last_batch(kept, run)
    if not text.strip():
        return list(kept)
    wanted = _parse_batches(text, kept[0], last)
    there = set(kept)
    missing = [batch for batch in wanted if batch not in there]
    if missing and not skip_missing:
        named = ", ".join(map(str, missing[:MOST_GAPS_NAMED]))
        more = f" and {len(missing) - MOST_GAPS_NAMED:,} more" * (len(missing) > MOST_GAPS_NAMED)
        raise UserError(
            f"Run '{run}' has no checkpoint {named}{more}. Leave them out: --skip-missing. "
            f"See what there is: studio checkpoints {run}"
        )
    chosen = [batch for batch in wanted if batch in there]
    if not chosen:
        raise UserError(
            f"No checkpoint of run '{run}' lies in '{text}': it has {kept[0]} to {last}."
        )
    return chosen


def last_batch(kept: Sequence[int], run: str) -> int:
    """The newest batch that has a checkpoint."""
    if not kept:
        raise UserError(f"Run '{run}' has no checkpoints yet. Train it first.")
    return kept[-1]


def _parse_batches(text: str, first: int, last: int) -> list[int]:
    """The numbers that a text names, cut to first..last; ranges are never laid out beyond."""
    listed = ":" not in text
    try:
        numbers = [
            int(part) if part.strip() else None for part in text.split("," if listed else ":")
        ]
    except ValueError:
        raise UserError(_batches_hint(text)) from None
    if any(number is not None and number < 0 for number in numbers):
        raise UserError(_batches_hint(text))
    if listed:
        return sorted({number for number in numbers if number is not None})
    if len(numbers) > 3 or numbers[2:] == [0]:
        raise UserError(_batches_hint(text))
    start, stop, step = [*numbers, None][:3]
    step = step or 1
    start = first if start is None else start + max(0, -(-(first - start) // step)) * step
    return list(range(start, last + 1 if stop is None else min(stop, last + 1), step))


def _batches_hint(text: str) -> str:
    return f"'{text}' is no choice of batches. Use FROM:TO, FROM:TO:STEP, or 1,50,200."


def _places(
    workspace: Workspace, name: str, request: Sequence[str], out: Path | None
) -> tuple[Path, Path]:
    """The video file, and the folder in which its parts are kept until it is whole.

    The same request has the same places, so that it is taken up where it was.
    """
    if out is not None:
        request = [str(out.absolute())]
    mark = hashlib.sha256(repr(list(request)).encode()).hexdigest()[:6]
    folder = workspace.render(f"{name}-{mark}")
    return (folder / f"{name}.mp4" if out is None else out.absolute()), folder
