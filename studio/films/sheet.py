"""Sheets of a run: its points, its checkpoints, or the cross of both in one picture."""

from __future__ import annotations

from collections.abc import Sequence

from checkpoints_index import CheckpointIndex, CheckpointRun
from latent.points import LatentPoint
from renderers.destinations import require_destination
from renderers.pictures.montage import SUFFIXES, Montage, render_montage
from renderers.plan.pacing import spread
from renderers.progress import OnProgress
from studio.exploration.sheets import sheet_place
from studio.films.options.film_options import SheetOptions
from studio.runs.attribution import attribution_of
from studio.runs.selection import choose_batches, describe_cut
from studio.specimens.points import points_or_fixed
from studio.workspace.devices import borrow_device, require_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Say, ignore_line

READABLE_BATCHES = 8  # Batches side by side, with one row a point.
READABLE_PICTURES = 36  # Pictures of a single point.


def check_sheet(workspace: Workspace, sheet: SheetOptions) -> None:
    """Refuse a sheet that cannot be drawn, before anything is rendered.

    Raises:
        StudioError: unknown run, points, batch or device.
        RenderError: a file that cannot be written, or is there already.
    """
    _prepare(workspace, sheet)
    if sheet.out is not None:
        require_destination(sheet.out, SUFFIXES, sheet.overwrite)


def draw_sheet(
    workspace: Workspace, sheet: SheetOptions, on_progress: OnProgress, say: Say = ignore_line
) -> Montage:
    """Draw a sheet of a run; whom its pictures are owed to stands at its foot.

    Args:
        say: told which of the chosen batches are not drawn.

    Raises:
        StudioError: or an error of the libraries, as `check_sheet`; or a sheet too large to be
            looked at.
    """
    checkpoints, points, batches = _prepare(workspace, sheet)
    for remark in _remarks(checkpoints.batches, sheet, len(batches)):
        say(remark)
    with borrow_device(workspace, sheet.device, f"a sheet of {sheet.run}") as device:
        return render_montage(
            checkpoints,
            points,
            batches,
            sheet.out or sheet_place(workspace, sheet.run, "sheet", sheet),
            columns=sheet.columns,
            scale=sheet.scale,
            title=_title(sheet.run, points, batches),
            footer=attribution_of(workspace, sheet.run),
            device=device,
            on_progress=on_progress,
        )


def _prepare(
    workspace: Workspace, sheet: SheetOptions
) -> tuple[CheckpointRun, list[LatentPoint], list[int]]:
    """The open run, and the points and batches of a sheet, whose device is there."""
    run = sheet.run
    checkpoints = CheckpointIndex(workspace.runs)[run]
    points = points_or_fixed(workspace, run, sheet.points, checkpoints.spec.z_dim)
    if not points:
        raise StudioError(
            f"Run '{run}' has no points of its own. Name some: --points seed:1,seed:2"
        )
    batches = _choose(checkpoints.batches, sheet, len(points))
    require_device(sheet.device)
    return checkpoints, points, batches


def _choose(kept: Sequence[int], sheet: SheetOptions, points: int) -> list[int]:
    if sheet.batch is not None:
        if sheet.batches or sheet.count is not None:
            raise StudioError("--batch is one checkpoint: leave out --batches and --count.")
        return choose_batches(kept, str(sheet.batch), sheet.run)
    chosen = _chosen(kept, sheet)
    count = sheet.count
    if count is None:
        listed = sheet.batches.strip() and ":" not in sheet.batches
        readable = READABLE_BATCHES if points > 1 else READABLE_PICTURES
        count = len(chosen) if listed else readable
    return [chosen[i] for i in spread(len(chosen), min(count, len(chosen)))]


def _chosen(kept: Sequence[int], sheet: SheetOptions) -> list[int]:
    return choose_batches(kept, sheet.batches, sheet.run, sheet.skip_missing)


def _remarks(kept: Sequence[int], sheet: SheetOptions, drawn: int) -> list[str]:
    """What a person should know who asked for other batches than are drawn."""
    if sheet.batch is not None:
        return []
    remarks, chosen = [describe_cut(kept, sheet.batches)], len(_chosen(kept, sheet))
    if sheet.count is None and drawn < chosen:
        remarks.append(
            f"The sheet shows {drawn} of {chosen:,} batches. Draw all of them: --count {chosen}"
        )
    return [remark for remark in remarks if remark is not None]


def _title(run: str, points: Sequence[LatentPoint], batches: Sequence[int]) -> str:
    first, last = f"{batches[0]:,}", f"{batches[-1]:,}"
    when = f"batch {last}" if len(batches) == 1 else f"batches {first} to {last}"
    return " · ".join([run, *[point.label for point in points if len(points) == 1], when])
