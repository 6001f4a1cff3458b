"""Checksums of the database's rows: written whenever a row is, and compared by `studio verify`.

Each table has a column `seal`. Triggers of each connection fill it in, so that no statement has to
know of it; what another program writes has no seal, or a broken one. Nothing is refused for it. A
column that comes later is added by `add_sealed_columns`, and stands in COLUMNS behind the others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import xxhash

from studio.workspace.stopping import undisturbed

SEAL = "seal"
COLUMNS = {
    "events": ("id", "run", "batch", "kind", "text", "created_at"),
    "specimens": (
        *("run", "batch", "number", "z", "origin", "starred", "created_at", "name"),
        *("note", "rating", "tags"),
    ),
    "jobs": (
        *("id", "command", "run", "status", "pid", "pid_created_at", "done", "total", "note"),
        *(
            "created_at",
            "started_at",
            "finished_at",
            "first_done",
            "action",
            "fields",
            "result",
            "first_done_at",
        ),
        *("place", "follows", "follows_any", "not_before", "needs"),
        *("waits_for", "asked", "at_once", "queued_at"),
    ),
    "pins": ("run", "batch", "created_at"),
    "changes": ("id", "run", "name", "value", "before", "batch", "asked_at"),
    "former_names": ("run", "former"),
    "parentage": ("run", "kind", "parent", "batch", "gone"),
}


@undisturbed
def seal_row(*values: Any) -> str:
    """The xxh3 of the values of a row and of their types, 16 hexadecimal digits."""
    text = "\0".join(f"{type(value).__name__} {value!r}" for value in values)
    return xxhash.xxh3_64_hexdigest(text.encode("utf-8", "surrogatepass"))


def add_seals(db: sqlite3.Connection) -> None:
    """A seal for each row; the rows of older versions are believed as they are."""
    db.create_function("seal_row", -1, seal_row, deterministic=True)
    there = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in (table for table in COLUMNS if table in there):  # Later ones bring their seals.
        db.execute(f"ALTER TABLE {table} ADD COLUMN {SEAL} TEXT")
        db.execute(f"UPDATE {table} SET {SEAL} = {_seal_of(db, table)}")


def add_sealed_columns(db: sqlite3.Connection, table: str, columns: Sequence[str]) -> None:
    """Add columns to a table, and to what the seals of its rows cover.

    A row whose seal was broken before stays one that `find_changed_rows` finds.

    Args:
        columns: as SQL declares them, each with its name first, which stands in COLUMNS.
    """
    db.create_function("seal_row", -1, seal_row, deterministic=True)
    before = _seal_of(db, table)
    for column in columns:
        db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    db.execute(f"UPDATE {table} SET {SEAL} = {_seal_of(db, table)} WHERE {SEAL} = {before}")


def _seal_of(db: sqlite3.Connection, table: str) -> str:
    """SQL of the seal of a row, over the columns that the table has in this version of it."""
    there = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
    return f"seal_row({', '.join(column for column in COLUMNS[table] if column in there)})"


class SealingConnection(sqlite3.Connection):
    """A connection that seals each row that it inserts or updates, once its tables have seals.

    Attributes:
        seals: whether they have.
    """

    seals = False
    _is_sealing = False

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """As `sqlite3.Connection.execute`."""
        self._begin_sealing(sql)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        """As `sqlite3.Connection.executemany`."""
        self._begin_sealing(sql)
        return super().executemany(sql, parameters)

    def _begin_sealing(self, sql: str) -> None:
        """Make the triggers before the first row is written; most connections only read."""
        writes = sql.lstrip().startswith(("INSERT", "UPDATE", "REPLACE"))
        if not self.seals or self._is_sealing or not writes:
            return
        self._is_sealing = True
        self.create_function("seal_row", -1, seal_row, deterministic=True)
        super().execute("PRAGMA temp_store = MEMORY")
        for statement in _make_triggers():
            super().execute(statement)


@cache
def _make_triggers() -> list[str]:
    """The statements that make the triggers of a connection."""
    statements: list[str] = []
    for table, columns in COLUMNS.items():
        new = ", ".join(f"NEW.{column}" for column in columns)
        step = f"UPDATE {table} SET {SEAL} = seal_row({new}) WHERE rowid = NEW.rowid"
        for name, when in (("new", "INSERT"), ("changed", f"UPDATE OF {', '.join(columns)}")):
            statements.append(
                f"CREATE TEMP TRIGGER seal_{name}_{table} AFTER {when} ON main.{table} "
                f"BEGIN {step}; END"
            )
    return statements


def find_changed_rows(db: sqlite3.Connection) -> Iterator[str]:
    """The rows that are not what was written, each as a sentence without an end.

    A row without a seal was written by another program, and is believed.

    Raises:
        sqlite3.Error: the database is damaged.
    """
    for table, columns in COLUMNS.items():
        rows = db.execute(f"SELECT {SEAL}, rowid, {', '.join(columns)} FROM main.{table}")
        for seal, number, *values in rows:
            if seal is not None and seal != seal_row(*values):
                yield f"row {number} of the table {table} has changed since it was written"


def find_damage(db: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with the file; nothing where all is well.

    Raises:
        sqlite3.Error: the database is damaged.
    """
    return [text for (text,) in db.execute("PRAGMA integrity_check(10)") if text != "ok"]


def describe_schema(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """The tables and indexes of a database: kind, name, and how it was made."""
    rows = db.execute("SELECT type, name, ifnull(sql, '') FROM main.sqlite_master")
    return sorted((kind, name, " ".join(sql.split())) for kind, name, sql in rows)
