"""Specimens: latent points that somebody chose, by label, and their pictures as JPEGs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from checkpoints_index import CheckpointIndex, CheckpointRun
from latent.points import LatentPoint, parse_label, sample_points
from renderers.frames.frame_renderer import FrameRenderer
from studio.runs.attribution import attribution_of
from studio.specimens.origins import Passport, save_specimen
from studio.specimens.points import SAMPLED, keep_points, resolve_points
from studio.workspace.database import open_database
from studio.workspace.devices import choose_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import OnProgress

MOST_AT_ONCE = 100_000
CHUNK = 64


@dataclass(frozen=True)
class Specimen:
    """A specimen and where its picture lies, if it was written."""

    label: str
    batch: int
    index: int
    origin: str
    starred: bool
    path: Path | None


def list_specimens(workspace: Workspace, run: str) -> list[Specimen]:
    """All specimens of a run, starred ones first, then by batch and number."""
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT batch, number, origin, starred FROM specimens WHERE run = ? "
            "ORDER BY starred DESC, batch, number",
            (run,),
        ).fetchall()
    return [
        _describe(workspace, run, row["batch"], row["number"], row["origin"], row["starred"])
        for row in rows
    ]


def star_specimen(workspace: Workspace, run: str, label: str, starred: bool = True) -> None:
    """Mark a specimen as one worth keeping, or no longer."""
    point = resolve_points(workspace, run, [label])[0]
    with open_database(workspace.database) as db:
        db.execute(
            "UPDATE specimens SET starred = ? WHERE run = ? AND batch = ? AND number = ?",
            (int(starred), run, *(parse_label(point.label) or (-1, -1))),
        )


def sample_specimens(
    workspace: Workspace,
    run: str,
    batch: int,
    count: int,
    on_progress: OnProgress,
    out: Path | None = None,
) -> list[Specimen]:
    """Draw new latent points at a batch, keep them under the next free labels, and export them.

    Raises:
        StudioError: unknown run or batch, or a count out of range.
    """
    if not 1 <= count <= MOST_AT_ONCE:
        raise StudioError(f"Asked for {count} specimens; ask for 1 to {MOST_AT_ONCE:,}.")
    checkpoints = CheckpointIndex(workspace.runs)[run]
    G = checkpoints.generator(batch, choose_device())
    first = _next_number(workspace, run, batch)
    points = sample_points(batch, range(first, first + count), checkpoints.spec.z_dim)
    attribution = attribution_of(workspace, run)
    renderer = FrameRenderer()
    for start in range(0, count, CHUNK):
        chunk = points[start : start + CHUNK]
        frames = renderer.render(G, torch.stack([point.z for point in chunk]))
        keep_points(workspace, run, chunk, SAMPLED)
        for point, frame in zip(chunk, frames, strict=True):
            _export(workspace, checkpoints, point, batch, frame, out, attribution)
        on_progress(min(start + CHUNK, count), count)
    return [
        _describe(workspace, run, batch, number, SAMPLED, False, out)
        for number in range(first, first + count)
    ]


def export_specimens(
    workspace: Workspace,
    run: str,
    labels: Sequence[str],
    out: Path | None = None,
    at_batch: int | None = None,
) -> list[Specimen]:
    """Write specimens as JPEGs that know where they come from.

    Args:
        labels: such as `16500.28`, `seed:123`, or the path of an exported JPEG.
        out: folder; the workspace's exports of the run by default.
        at_batch: the checkpoint to see them at; by default the one in the label, and for fixed
            points, which were drawn before the first checkpoint, the last one.

    Raises:
        StudioError: unknown run, specimen or batch, or a folder that cannot be written to.
    """
    checkpoints = CheckpointIndex(workspace.runs)[run]
    attribution = attribution_of(workspace, run)
    specimens = []
    for point in resolve_points(workspace, run, labels):
        batch = seen_at(checkpoints, point.label) if at_batch is None else at_batch
        frame = FrameRenderer().render(
            checkpoints.generator(batch, choose_device()), point.z[None]
        )[0]
        path = _export(workspace, checkpoints, point, batch, frame, out, attribution)
        own_batch, number = parse_label(point.label) or (batch, -1)
        specimens.append(Specimen(point.label, own_batch, number, SAMPLED, False, path))
    return specimens


def seen_at(checkpoints: CheckpointRun, label: str) -> int:
    """The batch at which a point is looked at: its label's, if kept, else the last one.

    Raises:
        StudioError: the run has no checkpoints.
    """
    batches = checkpoints.batches
    if not batches:
        raise StudioError(f"Run '{checkpoints.name}' has no checkpoints yet. Train it first.")
    place = parse_label(label)
    return place[0] if place is not None and place[0] in set(batches) else batches[-1]


def _export(
    workspace: Workspace,
    checkpoints: CheckpointRun,
    point: LatentPoint,
    batch: int,
    frame: np.ndarray,
    out: Path | None,
    attribution: str,
) -> Path:
    path = picture_path(workspace, checkpoints.name, point.label, out)
    origin = Passport(checkpoints.name, point.label, batch, point.z, checkpoints.digest([batch]))
    return save_specimen(frame, path, origin, attribution)


def picture_path(workspace: Workspace, run: str, label: str, out: Path | None = None) -> Path:
    """Where the JPEG of a specimen goes."""
    name = label.replace(":", "-")
    return (out or workspace.specimens(run)) / f"{run}-{name}.jpg"


def _next_number(workspace: Workspace, run: str, batch: int) -> int:
    with open_database(workspace.database) as db:
        row = db.execute(
            "SELECT ifnull(max(number), -1) + 1 FROM specimens WHERE run = ? AND batch = ?",
            (run, batch),
        ).fetchone()
    return int(row[0])


def _describe(
    workspace: Workspace,
    run: str,
    batch: int,
    number: int,
    origin: str,
    starred: bool,
    out: Path | None = None,
) -> Specimen:
    label = f"{batch}.{number}"
    path = picture_path(workspace, run, label, out)
    shown = path if path.exists() else None
    return Specimen(label, batch, number, origin, bool(starred), shown)
