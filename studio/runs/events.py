"""Events of a run: what happened to it, at which batch, in the database."""

from __future__ import annotations

import time
from dataclasses import dataclass

from studio.workspace.database import open_database
from studio.workspace.paths import Workspace

KINDS = (
    *("started", "resumed", "stopped", "finished", "failed"),
    *("changed", "paused", "continued", "saved", "rejected", "rolled_back", "alarm"),
)


@dataclass(frozen=True)
class Event:
    """Something that happened to a run.

    Attributes:
        batch: where it happened; None where no batch was trained.
        kind: one of KINDS.
        text: one line for people.
        created_at: seconds since 1970.
    """

    run: str
    batch: int | None
    kind: str
    text: str
    created_at: float


def record_event(workspace: Workspace, run: str, batch: int | None, kind: str, text: str) -> None:
    """Write an event into the database; see `Event`."""
    with open_database(workspace.database) as db:
        db.execute(
            "INSERT INTO events (run, batch, kind, text, created_at) VALUES (?, ?, ?, ?, ?)",
            (run, batch, kind, text, time.time()),
        )


def forget_events(workspace: Workspace, run: str) -> None:
    """Delete the events of a run that is gone, so that a new run of its name has none."""
    with open_database(workspace.database) as db:
        db.execute("DELETE FROM events WHERE run = ?", (run,))


def list_events(workspace: Workspace, run: str, newest: int = 100) -> list[Event]:
    """The newest events of a run, at most `newest` of them, newest first."""
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT run, batch, kind, text, created_at FROM events WHERE run = ? "
            "ORDER BY id DESC LIMIT ?",
            (run, newest),
        ).fetchall()
    return [Event(**dict(row)) for row in rows]


def is_paused(workspace: Workspace, run: str) -> bool:
    """Whether a run has paused and not gone on since."""
    with open_database(workspace.database) as db:
        row = db.execute(
            "SELECT kind FROM events WHERE run = ? AND kind IN "
            "('paused', 'continued', 'started', 'resumed') ORDER BY id DESC LIMIT 1",
            (run,),
        ).fetchone()
    return row is not None and row["kind"] == "paused"
