"""The labelled latent points of runs: kept in the database, found by what a person may write."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from checkpoints_index.storage.catalogue import open_catalogue
from latent.points import LatentPoint, parse_label, parse_seed, seeded_point
from studio.specimens.origins import read_passport
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

FIXED, SAMPLED = "fixed", "sampled"


def keep_points(workspace: Workspace, run: str, points: Sequence[LatentPoint], origin: str) -> None:
    """Remember labelled points of a run; those that are there already stay as they are."""
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
    """Drop the points of a run that is gone, so that a new one of its name begins without."""
    with open_database(workspace.database) as db:
        db.execute("DELETE FROM specimens WHERE run = ?", (run,))


def points_of(workspace: Workspace, run: str, origin: str | None = None) -> list[LatentPoint]:
    """The labelled points of a run, of one origin or of all, by batch and number."""
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT batch, number, z FROM specimens WHERE run = ? AND origin = ifnull(?, origin) "
            "ORDER BY batch, number",
            (run, origin),
        ).fetchall()
    return [_to_point(row["batch"], row["number"], row["z"]) for row in rows]


def resolve_points(workspace: Workspace, run: str, texts: Sequence[str]) -> list[LatentPoint]:
    """Latent points from what a person may write: a label, `seed:123`, or an exported JPEG.

    Raises:
        StudioError: an unknown specimen, or a JPEG that does not say where it comes from or has
            another latent size.
    """
    spec = open_catalogue(workspace.runs, run).spec
    return [_resolve(workspace, run, text.strip(), spec.z_dim) for text in texts]


def points_or_fixed(workspace: Workspace, run: str, texts: Sequence[str]) -> list[LatentPoint]:
    """The points that a person named, or the run's fixed points; see `resolve_points`."""
    return resolve_points(workspace, run, texts) or points_of(workspace, run, FIXED)


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
        raise StudioError(
            f"Run '{run}' has no specimen {text}. List them: studio specimens list {run}. "
            f"Draw new ones: studio specimens sample {run} --batch {place[0]}"
        )
    return _to_point(*place, row["z"])


def _from_picture(path: Path, z_dim: int) -> LatentPoint:
    if not path.is_file():
        raise StudioError(
            f"'{path}' is no latent point: use a label such as 16500.28, seed:123, or the path of "
            "a JPEG that was exported here."
        )
    origin = read_passport(path)
    if len(origin.z) != z_dim:
        raise StudioError(
            f"{path.name} holds a latent point of {len(origin.z)} numbers; this run's have {z_dim}."
        )
    return LatentPoint(origin.label, origin.z)


def _to_point(batch: int, number: int, z: bytes) -> LatentPoint:
    values = np.frombuffer(z, "<f4").astype(np.float32)
    return LatentPoint(f"{batch}.{number}", torch.from_numpy(values))
