"""Specimens as a gallery reads them: what it shows of them, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from latent.points import LatentPoint, parse_label
from studio.specimens.points import read_point
from studio.specimens.specimens import COLUMNS, Specimen, read_specimen
from studio.workspace.database import open_database
from studio.workspace.paths import Workspace


def read_specimens(
    workspace: Workspace, run: str, labels: Sequence[str], with_paths: bool = True
) -> list[tuple[Specimen, LatentPoint]]:
    """The specimens of a run with some labels, with their latent points, in the labels' order.

    Args:
        labels: those that are no specimens are left out.
        with_paths: whether it is looked for pictures of them that were exported.
    """
    found = []
    with open_database(workspace.database) as db:
        for label in labels:
            row = db.execute(
                f"SELECT {COLUMNS}, z FROM specimens WHERE run = ? AND batch = ? AND number = ?",
                (run, *(parse_label(label) or (-1, -1))),
            ).fetchone()
            if row is not None:
                found.append(row)
    return [
        (
            read_specimen(workspace, run, row, with_paths),
            read_point(row["batch"], row["number"], row["z"]),
        )
        for row in found
    ]


def newest_specimens(workspace: Workspace, count: int) -> list[tuple[str, Specimen, LatentPoint]]:
    """The specimens of all runs that were kept last, newest first; fixed points are none of them.

    Returns:
        For each the run, the specimen, and its latent point.
    """
    with open_database(workspace.database) as db:
        rows = db.execute(
            f"SELECT run, {COLUMNS}, z FROM specimens WHERE origin != 'fixed' "
            "ORDER BY rowid DESC LIMIT ?",
            (count,),
        ).fetchall()
    return [
        (
            row["run"],
            read_specimen(workspace, row["run"], row),
            read_point(row["batch"], row["number"], row["z"]),
        )
        for row in rows
    ]


def is_starred(workspace: Workspace, run: str, label: str) -> bool:
    """Whether somebody marked a specimen as worth keeping; False where it is none."""
    batch, number = parse_label(label) or (None, None)
    with open_database(workspace.database) as db:
        row = db.execute(
            "SELECT starred FROM specimens WHERE run = ? AND batch = ? AND number = ?",
            (run, batch, number),
        ).fetchone()
    return bool(row and row["starred"])


def starred_labels(workspace: Workspace, run: str) -> list[str]:
    """The labels of the specimens that somebody marked as worth keeping, by batch and number."""
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT batch, number FROM specimens WHERE run = ? AND starred ORDER BY batch, number",
            (run,),
        ).fetchall()
    return [f"{row['batch']}.{row['number']}" for row in rows]


def tagged_labels(workspace: Workspace, run: str) -> dict[str, list[str]]:
    """The labels of the specimens that have each tag; the commonest tags first."""
    found: dict[str, list[str]] = {}
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT batch, number, tags FROM specimens WHERE run = ? AND tags != '' "
            "ORDER BY batch, number",
            (run,),
        ).fetchall()
    for row in rows:
        for tag in filter(None, row["tags"].split(",")):
            found.setdefault(tag, []).append(f"{row['batch']}.{row['number']}")
    return dict(sorted(found.items(), key=lambda each: (-len(each[1]), each[0])))


def specimens_stamp(workspace: Workspace, run: str) -> list[Any]:
    """A short value that differs as soon as a gallery of a run's specimens does.

    It is asked for whenever anything has changed in the workspace, so no row of a specimen is read:
    two indices answer, and the file of marks, which is written with every mark.

    Returns:
        The number of specimens first.
    """
    with open_database(workspace.database) as db:
        (count,) = db.execute("SELECT count(*) FROM specimens WHERE run = ?", (run,)).fetchone()
        (newest,) = db.execute(
            "SELECT max(created_at) FROM specimens WHERE run = ?", (run,)
        ).fetchone()
    try:
        marks = workspace.marks(run).stat()
    except OSError:  # Nothing was said of any specimen yet.
        return [count, newest, 0, 0]
    return [count, newest, marks.st_mtime_ns, marks.st_ino]
