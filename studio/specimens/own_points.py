"""A person's own latent points: brought in from files, and kept beside the run as well.

Points that are drawn can be drawn again; these cannot. A file in the run's folder holds them too,
sealed by a checksum, from which a lost database gets them back.
"""

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import torch

from checkpoints_index.storage.catalogue import open_catalogue
from checkpoints_index.storage.seals import read_sealed_json
from latent.points import LatentPoint, parse_label
from studio.specimens.point_files import ForeignPoint, read_points
from studio.specimens.points import (
    IMPORTED,
    insert_points,
    keep_points,
    next_number,
    points_of,
    query_points,
)
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.marks import write_sealed
from studio.workspace.names import shorten
from studio.workspace.paths import Workspace


def import_points(
    workspace: Workspace,
    run: str,
    files: Sequence[Path],
    label: str | None = None,
    batch: int | None = None,
) -> tuple[list[LatentPoint], list[str]]:
    """Bring latent points of files into a run, all of them or none.

    Args:
        files: see `read_points`.
        label: that of the one point, such as `16500.28`; by default what the file or its name says.
        batch: points without a label get the next free ones of this batch; the last by default.

    Returns:
        The points, each with the label that it has now; remarks.

    Raises:
        StudioError: a file cannot be read, or a label belongs to another point.
        CheckpointError: unknown run.
    """
    catalogue = open_catalogue(workspace.runs, run)
    found, remarks = list[ForeignPoint](), list[str]()
    for path in files:
        points, said = read_points(path, catalogue.spec.z_dim)
        found, remarks = found + points, remarks + said
    if label is not None:
        found = [ForeignPoint(_require_label(label, len(found)), found[0].z)]
    at = batch if batch is not None else max(catalogue.batches, default=0)
    labelled = keep_own_points(workspace, run, found, at)
    return labelled, remarks


def keep_own_points(
    workspace: Workspace, run: str, found: Sequence[ForeignPoint], batch: int
) -> list[LatentPoint]:
    """Keep points that cannot be drawn again, in the database and in the file beside the run.

    Args:
        batch: points without a label get the next free ones of this batch.

    Returns:
        The points, each with the label that it has now; a point that is kept already has its own.

    Raises:
        StudioError: a label belongs to another point, or the file cannot be written.
    """
    restore_own_points(workspace, run)
    # Nobody else gets the labels that are chosen here.
    with open_database(workspace.database, writing=True) as db:
        labelled = _label_points(workspace, run, found, batch)
        insert_points(db, run, labelled, IMPORTED)
        write_own_points(db, workspace, run)
    return labelled


def _require_label(label: str, points: int) -> str:
    if parse_label(label) is None:
        raise StudioError(f"{shorten(label)} is no label of a point. Write it as 16500.28.")
    if points != 1:
        raise StudioError(
            f"One label stands for one point, and the files hold {points:,}. Leave the label out."
        )
    return label


def _label_points(
    workspace: Workspace, run: str, found: Sequence[ForeignPoint], batch: int
) -> list[LatentPoint]:
    """Each point with its label; one that the run has already keeps that which it has there."""
    kept = {point.label: point.z.numpy().tobytes() for point in points_of(workspace, run)}
    labels = {content: label for label, content in kept.items()}
    free = count(next_number(workspace, run, batch))
    labelled = []
    for point in sorted(found, key=lambda point: point.label is None):
        content = point.z.tobytes()
        label = _normalise(point.label) if point.label else labels.get(content)
        while label is None or (point.label is None and kept.get(label, content) != content):
            label = f"{batch}.{next(free)}"
        if kept.setdefault(label, content) != content:
            raise StudioError(
                f"{label} of run '{run}' is another point, of other numbers. Give yours another "
                "label, or none: the next free one."
            )
        labels.setdefault(content, label)
        labelled.append(LatentPoint(label, torch.from_numpy(point.z.copy())))
    return labelled


def _normalise(label: str) -> str:
    """A label as the database has it: 07.3 is 7.3."""
    batch, number = parse_label(label) or (0, 0)
    return f"{batch}.{number}"


def write_own_points(
    db: sqlite3.Connection, workspace: Workspace, run: str, folder: Path | None = None
) -> None:
    """Write the imported points of a run beside it, as the database has them.

    Args:
        db: a connection in which nobody else writes meanwhile, with the change that was made.
        folder: where the folder of the run lies while it is being made; else in its place.

    Raises:
        StudioError: the file cannot be written.
    """
    path = workspace.own_points(run)
    path = path if folder is None else folder / path.name
    points = query_points(db, run, IMPORTED)
    if not points and not path.exists():
        return
    document = {p.label: base64.b64encode(p.z.numpy().tobytes()).decode() for p in points}
    write_sealed(path, document)


def restore_own_points(workspace: Workspace, run: str) -> None:
    """Keep the points of the file beside a run in the database; known ones stay unchanged.

    Raises:
        StudioError: the file has changed since it was written.
    """
    points = read_own_points(workspace, run)
    z_dim = open_catalogue(workspace.runs, run).spec.z_dim
    fitting = [point for point in points if len(point.z) == z_dim]
    keep_points(workspace, run, fitting, IMPORTED)


def read_own_points(workspace: Workspace, run: str) -> list[LatentPoint]:
    """The points of the file beside a run; none where there is no file.

    Raises:
        StudioError: the file has changed since it was written.
    """
    path = workspace.own_points(run)
    try:
        document = read_sealed_json(path.read_bytes())
        points = [LatentPoint(label, _decode(text)) for label, text in document.items()]
        if any(parse_label(point.label) is None for point in points):
            raise ValueError("a label in it is none")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise StudioError(
            f"{path.name} of run '{run}' is damaged ({error}): import the points in it again, and "
            "move it away before."
        ) from error
    return points


def _decode(text: str) -> torch.Tensor:
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("numbers in it are not finite")
    return torch.from_numpy(values)
