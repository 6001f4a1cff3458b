"""Sheets of a run: its points, its checkpoints, or the cross of both in one picture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from checkpoints_index import CheckpointIndex
from latent.points import LatentPoint
from renderers.frames.devices import require_devices
from renderers.pictures.montage import Montage, render_montage
from renderers.plan.pacing import spread
from studio.runs.attribution import attribution_of
from studio.runs.selection import choose_batches
from studio.specimens.points import points_or_fixed
from studio.workspace.devices import choose_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import OnProgress

READABLE_BATCHES = 8  # side by side, one row a point
READABLE_PICTURES = 36  # of one point


@dataclass(frozen=True)
class SheetWish:
    """What a person may wish for on a sheet.

    Args:
        points: labels, seeds or JPEGs; the run's fixed points where there are none.
        batches: see `studio.runs.selection.choose_batches`.
        batch: only this one.
        count: so many of the batches, evenly from the first to the last. If None, those that
            are listed one by one, else as many as are readable.
        skip_missing: leave out batches that have no checkpoint, rather than refuse.
        columns, scale: see `renderers.pictures.montage.render_montage`.
    """

    points: Sequence[str] = ()
    batches: str = ""
    batch: int | None = None
    count: int | None = None
    skip_missing: bool = False
    columns: int | None = None
    scale: int | None = None


def draw_sheet(
    workspace: Workspace,
    run: str,
    wish: SheetWish,
    on_progress: OnProgress,
    *,
    device: str | None = None,
    out: Path | None = None,
) -> Montage:
    """Draw a sheet of a run; whom its pictures are owed to stands at its foot.

    Args:
        device: such as `cuda:0`; the best there is by default.
        out: FILE.png or FILE.jpg; a place in the workspace's renders by default.

    Raises:
        StudioError: unknown run, points, batch or device, or a sheet too large to be looked at.
    """
    checkpoints = CheckpointIndex(workspace.runs)[run]
    points = points_or_fixed(workspace, run, wish.points)
    if not points:
        raise StudioError(
            f"Run '{run}' has no points of its own. Name some: --points seed:1,seed:2"
        )
    batches = _choose(checkpoints.batches, wish, run, len(points))
    return render_montage(
        checkpoints,
        points,
        batches,
        out or _place(workspace, run, wish),
        columns=wish.columns,
        scale=wish.scale,
        title=_title(run, points, batches),
        footer=attribution_of(workspace, run),
        device=require_devices([device or choose_device()])[0],
        on_progress=on_progress,
    )


def _choose(kept: Sequence[int], wish: SheetWish, run: str, points: int) -> list[int]:
    if wish.batch is not None:
        if wish.batches or wish.count is not None:
            raise StudioError("--batch is one checkpoint: leave out --batches and --count.")
        return [wish.batch]
    chosen = choose_batches(kept, wish.batches, run, wish.skip_missing)
    count = wish.count
    if count is None:
        listed = wish.batches.strip() and ":" not in wish.batches
        readable = READABLE_BATCHES if points > 1 else READABLE_PICTURES
        count = len(chosen) if listed else readable
    if count < 1:
        raise StudioError(f"A sheet of {count} batches shows nothing: use 1 or more.")
    return [chosen[i] for i in spread(len(chosen), min(count, len(chosen)))]


def _title(run: str, points: Sequence[LatentPoint], batches: Sequence[int]) -> str:
    first, last = f"{batches[0]:,}", f"{batches[-1]:,}"
    when = f"batch {last}" if len(batches) == 1 else f"batches {first} to {last}"
    return " · ".join([run, *[point.label for point in points if len(points) == 1], when])


def _place(workspace: Workspace, run: str, wish: SheetWish) -> Path:
    """The same wish has the same place."""
    mark = hashlib.sha256(repr(wish).encode()).hexdigest()[:6]
    return workspace.render(f"{run}-sheet-{mark}") / f"{run}-sheet.png"
