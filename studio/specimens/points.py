"""Labelled latent points of runs: kept in the database, found by label, seed or exported JPEG."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from checkpoints_index.storage.catalogue import open_catalogue
from latent.points import LatentPoint, parse_label, parse_seed, seeded_point
from studio.specimens.passports import read_passport
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

# Origins of points: drawn when the run was made, to be filmed while it trains; or drawn later.
FIXED, SAMPLED = "fixed", "sampled"


def keep_points(workspace: Workspace, run: str, points: Sequence[LatentPoint], origin: str) -> None:
    """Keep labelled points of a run in the database; those that are there already stay unchanged.

    Args:
        points: each with a label such as `16500.28`.
        origin: FIXED or SAMPLED.
    """
    rows = []
    for point in points:
        place = parse_label(point.label)
        assert place is not None, "points are kept by a label such as 16500.28"
        rows.append((run, *place, point.z.numpy().astype("<f4").tobytes(), origin, time.time()))
    with open_database(workspace.database) as db:
        db.executemany(
            "INSERT OR IGNORE INTO specimens (run, batch, number, z, origin, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )


def forget_points(workspace: Workspace, run: str) -> None:
    """Delete all points of a run, so that a new run of that name begins without any."""
    with open_database(workspace.database) as db:
        db.execute("DELETE FROM specimens WHERE run = ?", (run,))


def points_of(workspace: Workspace, run: str, origin: str | None = None) -> list[LatentPoint]:
    """The labelled points of a run in the order of their labels.

    Args:
        origin: FIXED or SAMPLED; points of both by default.
    """
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT batch, number, z FROM specimens WHERE run = ? AND origin = ifnull(?, origin) "
            "ORDER BY batch, number",
            (run, origin),
        ).fetchall()
    return [_to_point(row["batch"], row["number"], row["z"]) for row in rows]


def resolve_points(
    workspace: Workspace, run: str, texts: Sequence[str], z_dim: int | None = None
) -> list[LatentPoint]:
    """Find latent points by what a person may write.

    Args:
        texts: each a label such as `16500.28`, `seed:123`, or the path of an exported JPEG.
        z_dim: length of the run's latent points; by default read from the run.

    Returns:
        Points with z float32 [z_dim], one for each text.

    Raises:
        StudioError: an unknown specimen, or a JPEG that has no passport or another z_dim.
        CheckpointError: unknown run.
    """
    if z_dim is None:
        z_dim = open_catalogue(workspace.runs, run).spec.z_dim
    return [_resolve(workspace, run, text.strip(), z_dim) for text in texts]


def points_or_fixed(
    workspace: Workspace, run: str, texts: Sequence[str], z_dim: int | None = None
) -> list[LatentPoint]:
    """The points that a person named, or the run's fixed points; see `resolve_points`."""
    return resolve_points(workspace, run, texts, z_dim) or points_of(workspace, run, FIXED)


def _resolve(workspace: Workspace, run: str, text: str, z_dim: int) -> LatentPoint:
    seed = parse_seed(text)
    if seed is not None:
        return seeded_point(seed, z_dim)
    place = parse_label(text)
    if place is None:
        return _from_picture(Path(text), z_dim)
    with open_database(workspace.database) as db:
        row = db.execute(
            "SELECT z FROM specimens WHERE run = ? AND batch = ? AND number = ?", (run, *place)
        ).fetchone()
    if row is None:
        drawable = _drawable(workspace, run, place[0])
        raise StudioError(
            f"Run '{run}' has no specimen {text}. List them: studio specimens list {run}. "
            f"Draw new ones: studio specimens sample {run} --batch {drawable}"
        )
    return _to_point(*place, row["z"])


def _drawable(workspace: Workspace, run: str, batch: int) -> int | str:
    """A batch at which specimens can be drawn: this one if it has a checkpoint, else the last."""
    kept = open_catalogue(workspace.runs, run).batches
    return batch if batch in kept or not kept else kept[-1]


def _from_picture(path: Path, z_dim: int) -> LatentPoint:
    if not path.is_file():
        raise StudioError(
            f"'{path}' is no latent point: use a label such as 16500.28, seed:123, or the path of "
            "a JPEG that was exported here."
        )
    passport = read_passport(path)
    if len(passport.z) != z_dim:
        raise StudioError(
            f"{path.name} holds a latent point of {len(passport.z)} numbers; this run's have "
            f"{z_dim}."
        )
    return LatentPoint(passport.label, passport.z)


def _to_point(batch: int, number: int, z: bytes) -> LatentPoint:
    values = np.frombuffer(z, "<f4").astype(np.float32)
    return LatentPoint(f"{batch}.{number}", torch.from_numpy(values))
