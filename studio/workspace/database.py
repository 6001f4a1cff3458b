"""The one module that opens the database.

SQLite before 3.51.3 can corrupt a write-ahead log that several processes reset at once, so the
rollback journal is used, with a busy timeout and few, grouped writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.workspace.errors import StudioError

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


MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [
    create_events,
    create_specimens,
    create_jobs,
    create_pins,
    create_changes,
    add_first_done,
    add_actions,
    add_former_names,
]


@contextmanager
def open_database(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are committed together at the end, or not at all.

    Raises:
        StudioError: the file is no database, was made by a newer studio, or stays locked.
    """
    try:
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    except sqlite3.Error as error:
        raise StudioError(f"The database {path} cannot be opened: {error}.") from error
    try:
        db.row_factory = sqlite3.Row
        _migrate(db, path)
        db.execute("BEGIN")
        yield db
        db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise StudioError(f"The database {path} cannot be used: {error}. Try again.") from error
    except sqlite3.DatabaseError as error:
        raise StudioError(
            f"{path} is damaged ({error}). Move it away: runs are listed from their checkpoints, "
            "only specimens, pins, jobs and events are kept in it alone."
        ) from error
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.close()


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
