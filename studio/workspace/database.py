"""The one module that opens the database.

SQLite before 3.51.3 can corrupt a write-ahead log that several processes reset at once, so the
rollback journal is used, with a busy timeout and few, grouped writes.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from studio.workspace.errors import ReadOnlyWorkspaceError, StudioError
from studio.workspace.row_seals import (
    SealingConnection,
    add_sealed_columns,
    add_seals,
    describe_schema,
    find_changed_rows,
    find_damage,
)

BUSY_TIMEOUT_S = 30.0
GROUPS = ("datasets", "jobs", "render", "specimens")  # These begin an action's name of two words.


def create_events(db: sqlite3.Connection) -> None:
    """What happened to runs."""
    db.execute(
        """CREATE TABLE events (
            id INTEGER PRIMARY KEY, run TEXT NOT NULL, batch INTEGER, kind TEXT NOT NULL,
            text TEXT NOT NULL, created_at REAL NOT NULL)"""
    )
    db.execute("CREATE INDEX events_of_run ON events (run, id)")


def create_specimens(db: sqlite3.Connection) -> None:
    """Labelled latent points; z is little-endian float32."""
    db.execute(
        """CREATE TABLE specimens (
            run TEXT NOT NULL, batch INTEGER NOT NULL, number INTEGER NOT NULL,
            z BLOB NOT NULL, origin TEXT NOT NULL, starred INTEGER NOT NULL DEFAULT 0,
            created_at REAL NOT NULL,
            PRIMARY KEY (run, batch, number))"""
    )


def create_jobs(db: sqlite3.Connection) -> None:
    """Jobs, with the words of their commands."""
    db.execute(
        """CREATE TABLE jobs (
            id INTEGER PRIMARY KEY, command TEXT NOT NULL, run TEXT, status TEXT NOT NULL,
            pid INTEGER, pid_created_at REAL, done INTEGER NOT NULL DEFAULT 0,
            total INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',
            created_at REAL NOT NULL, started_at REAL, finished_at REAL)"""
    )


def create_pins(db: sqlite3.Connection) -> None:
    """Batches that are kept whatever is thinned."""
    db.execute(
        """CREATE TABLE pins (
            run TEXT NOT NULL, batch INTEGER NOT NULL, created_at REAL NOT NULL,
            PRIMARY KEY (run, batch))"""
    )


def create_changes(db: sqlite3.Connection) -> None:
    """Settings that a person changed while a run trained."""
    db.execute(
        """CREATE TABLE changes (
            id INTEGER PRIMARY KEY, run TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
            before TEXT NOT NULL, batch INTEGER, asked_at REAL NOT NULL)"""
    )
    db.execute("CREATE INDEX changes_of_run ON changes (run, id)")


def add_first_done(db: sqlite3.Connection) -> None:
    """What of a job was done before it began: a resumed run is not as fast as it looks."""
    db.execute("ALTER TABLE jobs ADD COLUMN first_done INTEGER NOT NULL DEFAULT 0")


def add_actions(db: sqlite3.Connection) -> None:
    """A job is an action: its name, its fields as JSON, and what it gave back.

    Jobs from before have the words of their command, of which the first name the action; since
    they have no fields, they cannot be run again.
    """
    for column in ("action TEXT NOT NULL DEFAULT ''", "fields TEXT", "result TEXT"):
        db.execute(f"ALTER TABLE jobs ADD COLUMN {column}")
    for row in db.execute("SELECT id, command FROM jobs").fetchall():
        words = json.loads(row["command"])
        name = " ".join(words[: 2 if words[:1] and words[0] in GROUPS else 1])
        db.execute("UPDATE jobs SET action = ? WHERE id = ?", (name, row["id"]))
    db.execute("CREATE INDEX jobs_of_action ON jobs (action, run, id)")


def add_former_names(db: sqlite3.Connection) -> None:
    """Names that runs had before; passports of exported pictures still say them."""
    db.execute(
        "CREATE TABLE former_names (run TEXT NOT NULL, former TEXT NOT NULL, "
        "PRIMARY KEY (run, former))"
    )


def add_specimen_names(db: sqlite3.Connection) -> None:
    """Names that people gave to specimens, beside the labels; empty where there is none."""
    db.execute("ALTER TABLE specimens ADD COLUMN name TEXT NOT NULL DEFAULT ''")


def add_specimen_notes(db: sqlite3.Connection) -> None:
    """What people say of specimens: a note, a rating of 1 to 5, and tags between commas."""
    said = "note TEXT NOT NULL DEFAULT ''", "rating INTEGER NOT NULL DEFAULT 0"
    add_sealed_columns(db, "specimens", [*said, "tags TEXT NOT NULL DEFAULT ''"])


def add_first_progress(db: sqlite3.Connection) -> None:
    """When a job first told its progress; what it did before, such as waiting, is no pace."""
    add_sealed_columns(db, "jobs", ["first_done_at REAL"])


def add_queue(db: sqlite3.Connection) -> None:
    """What a job waits for and in which order, and what was asked of it: to pause, or to end."""
    when = ["place REAL", "follows INTEGER", "follows_any INTEGER NOT NULL DEFAULT 0"]
    turn = ["not_before REAL", "needs TEXT", "waits_for TEXT NOT NULL DEFAULT ''"]
    asked = ["asked TEXT NOT NULL DEFAULT ''", "at_once INTEGER NOT NULL DEFAULT 0"]
    add_sealed_columns(db, "jobs", [*when, *turn, *asked, "queued_at REAL"])
    db.execute("CREATE INDEX jobs_of_status ON jobs (status)")


def add_specimen_orders(db: sqlite3.Connection) -> None:
    """Indices in the orders of galleries, which hold all that a list of labels reads."""
    for name, columns in (
        ("age", "created_at DESC, batch, number"),
        ("rating", "rating DESC, batch, number"),
        ("star", "starred DESC, batch, number"),
    ):
        db.execute(f"CREATE INDEX specimens_by_{name} ON specimens (run, {columns})")


def add_parentage(db: sqlite3.Connection) -> None:
    """From which run another one began, at which batch, and as what; gone once it is deleted."""
    db.execute(
        """CREATE TABLE parentage (
            run TEXT PRIMARY KEY, kind TEXT NOT NULL, parent TEXT NOT NULL,
            batch INTEGER NOT NULL, gone INTEGER NOT NULL DEFAULT 0, seal TEXT)"""
    )


PRIMARY_CODE = 0xFF  # The other bits of an error of SQLite say which variant of it happened.
MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [
    create_events,
    create_specimens,
    create_jobs,
    create_pins,
    create_changes,
    add_first_done,
    add_actions,
    add_former_names,
    add_specimen_names,
    add_seals,
    add_specimen_notes,
    add_first_progress,
    add_queue,
    add_specimen_orders,
    add_parentage,
]


@contextmanager
def open_database(path: Path, writing: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are committed together at the end, or not at all.

    Where the folder cannot be written to, what is there can be read all the same, from whatever
    version of the studio it is; where there is no database, there is nothing in it.

    Args:
        writing: nobody else writes meanwhile; for what writes something that it has read before.

    Raises:
        ReadOnlyWorkspaceError: something is to be written where nothing can be.
        StudioError: the file is no database, was made by a newer studio, or stays locked.
    """
    with _explaining(path), closing(_open(path)) as db:
        try:
            db.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Raise a StudioError for what goes wrong with the database."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE == sqlite3.SQLITE_READONLY:
            raise ReadOnlyWorkspaceError(path.parent) from error
        raise StudioError(f"The database {path} cannot be used: {error}. Try again.") from error
    except sqlite3.DatabaseError as error:
        raise StudioError(
            f"{path} is damaged ({error}). Move it away, and make runs, points and marks known "
            "again: studio reindex. Only jobs, events and points without a picture are lost."
        ) from error


def _open(path: Path) -> sqlite3.Connection:
    """A connection to the database as the newest version has it; to a copy where it is frozen."""
    writable = all(os.access(place, os.W_OK) for place in (path, path.parent) if place.exists())
    db = _connect(path, "rwc") if writable else _connect_to_copy(path)
    try:
        db.row_factory = sqlite3.Row
        _migrate(db, path)
        db.seals = writable
        db.execute(f"PRAGMA query_only = {not writable:d}")
    except BaseException:
        db.close()
        raise
    return db


def _connect(path: Path, mode: str) -> SealingConnection:
    """A connection that may do what a mode of SQLite says: `ro` or `rwc`."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, factory=SealingConnection
    )


def _connect_to_copy(path: Path) -> SealingConnection:
    """A copy in memory, which can be brought up to date where the file cannot."""
    copy = sqlite3.connect(":memory:", isolation_level=None, factory=SealingConnection)
    if path.exists():
        with closing(_connect(path, "ro")) as file:
            file.backup(copy)
    return copy


def find_changes(path: Path) -> list[str]:
    """What of a database is not what was written, as sentences without an end.

    Raises:
        StudioError: it is so damaged that it cannot be read.
    """
    with sqlite3.connect(":memory:") as fresh:
        for migration in MIGRATIONS:
            migration(fresh)
        wanted = describe_schema(fresh)
    with open_database(path) as db:
        other = [] if describe_schema(db) == wanted else ["its tables are not as they were made"]
        return [*find_damage(db), *other, *find_changed_rows(db)]


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring an older database up to date, one transaction a step."""
    if _version(db) == len(MIGRATIONS):
        return
    if _version(db) > len(MIGRATIONS):
        raise StudioError(f"{path} was made by a newer version of the studio. Update the studio.")
    db.execute("BEGIN IMMEDIATE")
    for number, migration in enumerate(MIGRATIONS, 1):
        if number > _version(db):
            migration(db)
            db.execute(f"PRAGMA user_version = {number}")
    db.execute("COMMIT")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
