"""Specimens, the latent points that somebody chose: list, star, sample, and export as JPEGs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count as count_from
from pathlib import Path

import numpy as np
import torch

from checkpoints_index import CheckpointIndex, CheckpointRun
from latent.points import LatentPoint, parse_label
from renderers.files import file_name
from renderers.frames.frame_renderer import FrameRenderer
from renderers.progress import OnProgress
from studio.runs.attribution import attribution_of
from studio.specimens.passports import Passport, read_passport, save_specimen
from studio.specimens.points import SAMPLED, draw_points, resolve_point, resolve_points
from studio.workspace.database import open_database
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.names import require_point_label
from studio.workspace.paths import Workspace

MAX_AT_ONCE = 100_000
CHUNK = 64  # Pictures that are drawn in one forward pass.


@dataclass(frozen=True)
class Specimen:
    """A specimen as lists show it.

    Attributes:
        label: `BATCH.INDEX`, such as `16500.28`.
        batch: the batch in the label, where the specimen was first seen.
        index: the number in the label.
        origin: `fixed`, `sampled` or `imported`.
        starred: whether somebody marked it as worth keeping.
        path: its JPEG; None if none was written.
    """

    label: str
    batch: int
    index: int
    origin: str
    starred: bool
    path: Path | None


def list_specimens(workspace: Workspace, run: str) -> list[Specimen]:
    """List the specimens of a run, starred ones first, then by batch and number."""
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
    """Mark a specimen as worth keeping, or take the mark away.

    Args:
        label: what `resolve_point` takes.

    Raises:
        StudioError: unknown specimen.
        CheckpointError: unknown run.
    """
    point = resolve_point(workspace, run, label)
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
    device: str | None = None,
) -> list[Specimen]:
    """Draw new latent points at a batch, keep them under the next free labels, and export them.

    Args:
        count: 1 to MAX_AT_ONCE.
        out: folder for the JPEGs; the workspace's exports of the run by default.
        device: see `borrow_device`.

    Raises:
        StudioError: the count is out of range, or a JPEG cannot be written.
        CheckpointError: unknown run or batch.
    """
    if not 1 <= count <= MAX_AT_ONCE:
        raise StudioError(f"Asked for {count} specimens; ask for 1 to {MAX_AT_ONCE:,}.")
    checkpoints = CheckpointIndex(workspace.runs)[run]
    specimens: list[Specimen] = []
    attribution = attribution_of(workspace, run)
    renderer = FrameRenderer()
    with borrow_device(workspace, device, f"specimens of {run}") as chosen:
        G = checkpoints.generator(batch, chosen)
        while len(specimens) < count:
            wanted = min(CHUNK, count - len(specimens))
            points = draw_points(workspace, run, batch, wanted, checkpoints.spec.z_dim)
            frames = renderer.render(G, torch.stack([point.z for point in points]))
            for point, frame in zip(points, frames, strict=True):
                path = _export(workspace, checkpoints, point, batch, frame, out, attribution)
                _, number = parse_label(point.label) or (batch, -1)
                specimens.append(Specimen(point.label, batch, number, SAMPLED, False, path))
            on_progress(len(specimens), count)
    return specimens


def export_specimens(
    workspace: Workspace,
    run: str,
    labels: Sequence[str],
    out: Path | None = None,
    at_batch: int | None = None,
    device: str | None = None,
) -> list[Specimen]:
    """Write specimens as JPEGs with passports.

    Args:
        labels: such as `16500.28`, `seed:123`, or the path of an exported JPEG.
        out: folder; the workspace's exports of the run by default.
        at_batch: the checkpoint that draws them; by default the one in the label, and for fixed
            points, which were drawn before the first checkpoint, the last one.
        device: see `borrow_device`.

    Raises:
        StudioError: unknown specimen, a run without checkpoints, or a JPEG that cannot be written.
        CheckpointError: unknown run or batch.
    """
    checkpoints = CheckpointIndex(workspace.runs)[run]
    attribution = attribution_of(workspace, run)
    specimens = []
    with borrow_device(workspace, device, f"specimens of {run}") as chosen:
        for point in resolve_points(workspace, run, labels):
            batch = seen_at(checkpoints, point.label) if at_batch is None else at_batch
            G = checkpoints.generator(batch, chosen)
            frame = FrameRenderer().render(G, point.z[None])[0]
            path = _export(workspace, checkpoints, point, batch, frame, out, attribution)
            own_batch, number = parse_label(point.label) or (batch, -1)
            specimens.append(Specimen(point.label, own_batch, number, SAMPLED, False, path))
    return specimens


def seen_at(checkpoints: CheckpointRun, label: str) -> int:
    """The batch whose checkpoint shows a point: that of its label if it is kept, else the last.

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
    wanted = picture_path(workspace, checkpoints.name, point.label, out, batch)
    passport = Passport(checkpoints.name, point.label, batch, point.z, checkpoints.digest([batch]))
    return save_specimen(frame, _free_path(wanted, passport), passport, attribution)


def _free_path(path: Path, passport: Passport) -> Path:
    """A path that no other picture has; the same picture may be written again."""
    candidates = (path.with_stem(f"{path.stem}-{n}") if n > 1 else path for n in count_from(1))
    return next(p for p in candidates if not p.exists() or _shows_same(p, passport))


def _shows_same(path: Path, passport: Passport) -> bool:
    try:
        other = read_passport(path)
    except StudioError:
        return False
    return other.weights_digest == passport.weights_digest and torch.equal(other.z, passport.z)


def picture_path(
    workspace: Workspace,
    run: str,
    label: str,
    out: Path | None = None,
    batch: int | None = None,
) -> Path:
    """The path of a specimen's JPEG, which names the batch where that is not the label's own.

    Args:
        label: a label or `seed:123`.
        out: folder; the workspace's exports of the run by default.
        batch: the checkpoint that draws it; by default that of the label.

    Raises:
        StudioError: the label is none.
    """
    own, _ = parse_label(label) or (None, None)
    name = file_name(require_point_label(label)) + ("" if batch in (None, own) else f"-at-{batch}")
    return (out or workspace.specimens(run)) / f"{run}-{name}.jpg"


def _describe(
    workspace: Workspace,
    run: str,
    batch: int,
    number: int,
    origin: str,
    starred: bool,
) -> Specimen:
    label = f"{batch}.{number}"
    path = picture_path(workspace, run, label)
    shown = path if path.exists() else None
    return Specimen(label, batch, number, origin, bool(starred), shown)
