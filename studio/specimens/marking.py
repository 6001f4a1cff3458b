"""What people say of specimens: stars, names, notes, tags, ratings.

The database has it, and the marks beside the run, from which a lost database gets it back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from checkpoints_index import CheckpointIndex
from latent.maps.neighbourhood import parse_around
from latent.points import LatentPoint, parse_label
from studio.specimens.own_points import keep_own_points
from studio.specimens.point_files import ForeignPoint
from studio.specimens.points import SAMPLED, insert_points, resolve_point, resolve_points
from studio.specimens.specimens import seen_at
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.marks import save_marks
from studio.workspace.names import (
    require_given_name,
    require_note,
    require_rating,
    require_tag,
    shorten,
)
from studio.workspace.paths import Workspace

MAX_TAGS = 50  # Of one specimen.
Change = Callable[[sqlite3.Connection, sqlite3.Row], Any]


def star_specimens(
    workspace: Workspace, run: str, texts: Sequence[str], starred: bool = True
) -> list[str]:
    """Mark specimens as worth keeping, or take the mark away; marked points are kept from then on.

    Args:
        texts: what `resolve_points` takes.

    Returns:
        Their labels.

    Raises:
        StudioError: one is no specimen, or has no label under which it can be kept; none is marked.
        CheckpointError: unknown run.
    """
    points = resolve_points(workspace, run, texts)
    if starred:
        points = _keep_drawn(workspace, run, points)
    return _mark(workspace, run, points, {"starred": lambda *_: int(starred)}, keeping=starred)


def name_specimen(workspace: Workspace, run: str, text: str, name: str) -> str:
    """Give a specimen a name, by which it is found as by its label; the label stays.

    The label says which point it is, and is what exported pictures carry.

    Args:
        text: what `resolve_point` takes; its name of before as well.
        name: one that no other specimen of the run has, in any case of letters.

    Returns:
        The label of the specimen.

    Raises:
        StudioError: unknown specimen, or the name is taken or cannot be one.
        CheckpointError: unknown run.
    """
    name = require_given_name(name)

    def choose(db: sqlite3.Connection, row: sqlite3.Row) -> str:
        _refuse_taken(db, run, f"{row['batch']}.{row['number']}", name)
        return name

    point = resolve_point(workspace, run, text)
    (label,) = _mark(workspace, run, [point], {"name": choose}, keeping=False)
    return label


def mark_specimens(
    workspace: Workspace,
    run: str,
    texts: Sequence[str],
    tags: Iterable[str] = (),
    without: Iterable[str] = (),
    note: str | None = None,
    rating: int | None = None,
) -> list[str]:
    """Tag, note or rate specimens, all of them or none; a city that was looked at is kept by it.

    Args:
        texts: what `resolve_points` takes.
        tags, without: the tags that they get, and those that they lose.
        note: their note from now on; an empty one takes it away.
        rating: 1..5; 0 takes it away.

    Returns:
        Their labels.

    Raises:
        StudioError: one is no specimen, or has no label under which it can be kept; or a text
            cannot be a tag or a note.
        CheckpointError: unknown run.
    """
    added, gone = {require_tag(tag) for tag in tags}, {require_tag(tag) for tag in without}
    changes: dict[str, Change] = {}
    if added or gone:
        changes["tags"] = lambda _, row: _join_tags((_split_tags(row) | added) - gone)
    said = require_note(note or "")
    if note is not None:
        changes["note"] = lambda *_: said
    if rating is not None:
        stars = require_rating(rating)
        changes["rating"] = lambda *_: stars
    points, keeping = resolve_points(workspace, run, texts), bool(added or said or rating)
    if keeping:
        points = _keep_drawn(workspace, run, points)
    return _mark(workspace, run, points, changes, keeping)


def _keep_drawn(workspace: Workspace, run: str, points: Sequence[LatentPoint]) -> list[LatentPoint]:
    """The points; those of a neighbourhood are kept, each under a label of a specimen's kind."""
    kept = []
    for point in points:
        if parse_around(point.label) is not None:
            at = seen_at(CheckpointIndex(workspace.runs)[run], point.label)
            own = [ForeignPoint(None, point.z.numpy())]
            kept.append(keep_own_points(workspace, run, own, at)[0])
        else:
            kept.append(point)
    return kept


def _split_tags(row: sqlite3.Row) -> set[str]:
    return {tag for tag in row["tags"].split(",") if tag}


def _join_tags(tags: set[str]) -> str:
    if len(tags) > MAX_TAGS:
        raise StudioError(f"A specimen would have {len(tags)} tags; the most are {MAX_TAGS}.")
    return ",".join(sorted(tags))


def _mark(
    workspace: Workspace,
    run: str,
    points: Sequence[LatentPoint],
    changes: dict[str, Change],
    keeping: bool,
) -> list[str]:
    """Write columns of specimens' rows and the marks beside the run, all of it or nothing.

    Args:
        changes: column -> its value, of the open database and the row as it is.
        keeping: keep points that the run has not kept so far.
    """
    with open_database(workspace.database, writing=True) as db:
        if keeping:
            insert_points(db, run, [p for p in points if parse_label(p.label)], SAMPLED)
        for label in dict.fromkeys(point.label for point in points):
            place = (run, *(parse_label(label) or (-1, -1)))
            where = "WHERE run = ? AND batch = ? AND number = ?"
            row = db.execute(f"SELECT * FROM specimens {where}", place).fetchone()
            if row is None:
                raise StudioError(
                    f"{shorten(label)} is no specimen that run '{run}' keeps. Name one by its "
                    f"label: studio specimens list {run}"
                )
            for column, choose in changes.items():
                values = (choose(db, row), *place)
                db.execute(f"UPDATE specimens SET {column} = ? {where}", values)
        save_marks(db, workspace, run)
    return list(dict.fromkeys(point.label for point in points))


def _refuse_taken(db: sqlite3.Connection, run: str, label: str, name: str) -> None:
    rows = db.execute(
        "SELECT batch, number, name FROM specimens WHERE run = ? AND name != ''", (run,)
    )
    for row in rows:
        other = f"{row['batch']}.{row['number']}"
        if row["name"].casefold() == name.casefold() and other != label:
            raise StudioError(
                f"Specimen {other} of run '{run}' has the name '{row['name']}' already. Choose "
                "another one."
            )
