"""Marks of a run: where it began, former names, pins, what was said of specimens; also in a file.

The database answers for them. None of them can be computed again, so the file, sealed by a
checksum, has them too, and gives them back where the database is lost.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from studio.workspace.errors import StudioError
from studio.workspace.names import (
    require_batch,
    require_beginning,
    require_given_name,
    require_note,
    require_point_label,
    require_rating,
    require_run_name,
    require_tag,
)
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class Marks:
    """What people gave a run.

    Attributes:
        former: the names that it had before.
        pins: batches that are kept whatever is thinned.
        stars: the labels of specimens that are worth keeping.
        names: label -> the name of a specimen.
        notes: label -> a note.
        tags: label -> tags.
        ratings: label -> a rating, 1..5.
        began: kind, parent, batch and gone of what it began from, see `studio.runs.lineage`; empty
            where it is of no other run.
    """

    former: list[str] = field(default_factory=list)
    pins: list[int] = field(default_factory=list)
    stars: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    ratings: dict[str, int] = field(default_factory=dict)
    began: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Marks:
        """The marks of a document that has these names; marks of a later kind may be missing.

        Raises:
            ValueError: one of them cannot be; or KeyError, TypeError, AttributeError.
        """

        def each(name: str, require: Callable[[Any], Any]) -> dict[str, Any]:
            given = document.get(name, {}).items()
            return {require_point_label(label): require(value) for label, value in given}

        return cls(
            [require_run_name(name) for name in document["former"]],
            [require_batch(batch) for batch in document["pins"]],
            [require_point_label(label) for label in document["stars"]],
            names=each("names", require_given_name),
            notes=each("notes", require_note),
            tags=each("tags", lambda tags: sorted({require_tag(tag) for tag in tags})),
            ratings=each("ratings", require_rating),
            began=_read_began(document.get("began", {})),
        )

    @property
    def labels(self) -> set[str]:
        """The labels of all specimens that have a mark."""
        return {*self.stars, *self.names, *self.notes, *self.tags, *self.ratings}


def _read_began(document: Mapping[str, Any]) -> dict[str, Any]:
    if not document:
        return {}
    return {
        "kind": require_beginning(document["kind"]),
        "parent": require_run_name(document["parent"]),
        "batch": require_batch(document["batch"]),
        "gone": int(bool(document["gone"])),
    }


def save_marks(
    db: sqlite3.Connection, workspace: Workspace, run: str, folder: Path | None = None
) -> None:
    """Write the marks of a run beside it, as the database has them.

    Args:
        db: a connection in which nobody else writes meanwhile, with the change that was made.
        folder: where the folder of the run lies while it is being made; else in its place.

    Raises:
        StudioError: the file cannot be written.
    """
    marks, path = query_marks(db, run), workspace.marks(run)
    path = path if folder is None else folder / path.name
    if not any(asdict(marks).values()) and not path.exists():
        return
    write_sealed(path, asdict(marks))


def write_sealed(path: Path, document: dict[str, Any]) -> None:
    """Write a document beside a run with a seal, whole or not at all.

    Raises:
        StudioError: it cannot be written.
    """
    try:
        create_whole(path, seal_json(document, indent=1))
    except OSError as error:
        raise StudioError(f"Cannot write {path}: {error.strerror or error}.") from error


def read_marks(workspace: Workspace, run: str) -> Marks:
    """The marks in the file beside a run; none where there is no file.

    Raises:
        StudioError: the file has changed since it was written.
    """
    path = workspace.marks(run)
    try:
        return Marks.read(read_sealed_json(path.read_bytes()))
    except FileNotFoundError:
        return Marks()
    except Exception as error:  # Whatever foreign bytes make readers raise is what is wrong.
        raise StudioError(
            f"{path.name} of run '{run}' is damaged ({error}). Move it away: the next star, pin or "
            "name writes it anew."
        ) from error


def apply_marks(db: sqlite3.Connection, run: str, marks: Marks) -> None:
    """Give a run marks; those that it has stay.

    Args:
        marks: what was said is given to specimens that the run keeps.
    """
    from latent.points import parse_label  # Not above: it would bring torch into every command.

    def each(question: str, values: Iterable[tuple[Any, ...]]) -> None:
        db.executemany(question, list(values))

    now = time.time()
    each(
        "INSERT OR IGNORE INTO former_names (run, former) VALUES (?, ?)",
        ((run, former) for former in marks.former),
    )
    each(
        "INSERT OR IGNORE INTO pins (run, batch, created_at) VALUES (?, ?, ?)",
        ((run, batch, now) for batch in marks.pins),
    )
    each(
        "INSERT OR IGNORE INTO parentage (run, kind, parent, batch, gone) VALUES (?, ?, ?, ?, ?)",
        [(run, *marks.began.values())] if marks.began else (),
    )
    which = "WHERE run = ? AND batch = ? AND number = ?"
    each(
        f"UPDATE specimens SET starred = 1 {which}",
        ((run, *place) for label in marks.stars if (place := parse_label(label))),
    )
    for column, given in (
        ("name", marks.names),
        ("note", marks.notes),
        ("tags", {label: ",".join(tags) for label, tags in marks.tags.items()}),
        ("rating", marks.ratings),
    ):
        each(
            f"UPDATE specimens SET {column} = ? {which} AND {column} IN ('', 0)",
            (
                (value, run, *place)
                for label, value in given.items()
                if (place := parse_label(label))
            ),
        )


def query_marks(db: sqlite3.Connection, run: str) -> Marks:
    """The marks that the database has."""

    def column(question: str) -> list[Any]:
        return [row[0] for row in db.execute(question, (run,))]

    label = "batch || '.' || number"

    def said(name: str) -> dict[str, Any]:
        rows = db.execute(
            f"SELECT {label}, {name} FROM specimens WHERE run = ? AND {name} NOT IN ('', 0) "
            "ORDER BY batch, number",
            (run,),
        )
        return {row[0]: row[1] for row in rows}

    began = db.execute("SELECT kind, parent, batch, gone FROM parentage WHERE run = ?", (run,))
    return Marks(
        column("SELECT former FROM former_names WHERE run = ? ORDER BY rowid"),
        column("SELECT batch FROM pins WHERE run = ? ORDER BY batch"),
        column(f"SELECT {label} FROM specimens WHERE run = ? AND starred ORDER BY batch, number"),
        names=said("name"),
        notes=said("note"),
        tags={place: tags.split(",") for place, tags in said("tags").items()},
        ratings=said("rating"),
        began=next((dict(row) for row in began), {}),
    )
