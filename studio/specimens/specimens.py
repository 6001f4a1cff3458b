"""Specimens, the latent points that somebody chose: what was said of each, and its picture."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from checkpoints_index import CheckpointRun
from latent.maps.neighbourhood import parse_around
from latent.points import parse_label
from renderers.files import file_name
from studio.specimens.picture_metadata import SUFFIXES
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.names import require_point_label
from studio.workspace.paths import Workspace

COLUMNS = "batch, number, origin, starred, name, note, tags, rating, created_at"


@dataclass(frozen=True)
class Specimen:
    """A specimen as lists show it.

    Attributes:
        label: `BATCH.INDEX`, such as `16500.28`.
        batch: the batch in the label, where the specimen was first seen.
        index: the number in the label.
        origin: `fixed`, `sampled` or `imported`.
        starred: whether somebody marked it as worth keeping.
        path: its picture; None if none was written.
        name: what somebody called it; it is found by that as well. Empty where nobody did.
        note: what somebody wrote about it.
        tags: in alphabetical order.
        rating: 1..5; 0 where nobody rated it.
        created_at: when it was kept, in seconds since 1970.
        at_batch: the checkpoint that an export shows; None in lists.
    """

    label: str
    batch: int
    index: int
    origin: str
    starred: bool
    path: Path | None
    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    rating: int = 0
    created_at: float = 0.0
    at_batch: int | None = None


def list_specimens(workspace: Workspace, run: str) -> list[Specimen]:
    """List the specimens of a run, starred ones first, then by batch and number."""
    with open_database(workspace.database) as db:
        rows = db.execute(
            f"SELECT {COLUMNS} FROM specimens WHERE run = ? ORDER BY starred DESC, batch, number",
            (run,),
        ).fetchall()
    return [read_specimen(workspace, run, row) for row in rows]


def seen_at(checkpoints: CheckpointRun, label: str) -> int:
    """The batch whose checkpoint shows a point: that of its label if it is kept, else the last.

    A point of a neighbourhood is shown where the one in its middle is.

    Raises:
        StudioError: the run has no checkpoints.
    """
    batches = checkpoints.batches
    if not batches:
        raise StudioError(f"Run '{checkpoints.name}' has no checkpoints yet. Train it first.")
    return seen_among(batches, label)


def seen_among(batches: Sequence[int], label: str) -> int:
    """As `seen_at` has it, of the batches that are kept, ascending and at least one."""
    around = parse_around(label)
    place = parse_label(label if around is None else around[0].centre)
    return place[0] if place is not None and place[0] in set(batches) else batches[-1]


def picture_path(
    workspace: Workspace,
    run: str,
    label: str,
    out: Path | None = None,
    batch: int | None = None,
    suffix: str = ".jpg",
) -> Path:
    """The path of a specimen's picture, which names the batch where that is not the label's own.

    Args:
        label: a label or `seed:123`.
        out: folder; the workspace's exports of the run by default.
        batch: the checkpoint that draws it; by default that of the label.

    Raises:
        StudioError: the label is none.
    """
    own, _ = parse_label(label) or (None, None)
    name = file_name(require_point_label(label)) + ("" if batch in (None, own) else f"-at-{batch}")
    return (out or workspace.specimens(run)) / f"{run}-{name}{suffix}"


def read_specimen(
    workspace: Workspace, run: str, row: sqlite3.Row, with_path: bool = True
) -> Specimen:
    """The specimen of a row that has COLUMNS.

    Args:
        with_path: whether it is looked for a picture of it that was exported.
    """
    label = f"{row['batch']}.{row['number']}"
    suffixes = SUFFIXES if with_path else ()
    paths = (picture_path(workspace, run, label, suffix=suffix) for suffix in suffixes)
    return Specimen(
        label,
        row["batch"],
        row["number"],
        row["origin"],
        bool(row["starred"]),
        next((path for path in paths if path.exists()), None),
        row["name"],
        row["note"],
        tuple(tag for tag in row["tags"].split(",") if tag),
        row["rating"],
        row["created_at"],
    )
