"""How each run began: from which run, at which batch, and what was done to it then."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from checkpoints_index.storage.catalogue import list_runs, open_catalogue
from studio.runs.config import TrainingConfig
from studio.workspace.database import open_database
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.marks import save_marks
from studio.workspace.names import BRANCH, WARM_START, split_checkpoint
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class Parentage:
    """What a run began from.

    Attributes:
        kind: one of `studio.workspace.names.BEGINNINGS`.
        parent: the run, by the name that it has now, or had when it was deleted.
        batch: the batch of the parent.
        is_gone: whether the parent was deleted since; a run of its name is another one then.
    """

    kind: str
    parent: str
    batch: int
    is_gone: bool = False


def record_parentage(
    workspace: Workspace, run: str, begun: Parentage, folder: Path | None = None
) -> None:
    """Keep how a run begins.

    Args:
        folder: where the folder of the run lies while it is being made; else in its place.
    """
    with open_database(workspace.database, writing=True) as db:
        db.execute("DELETE FROM parentage WHERE run = ?", (run,))
        _insert(db, run, begun)
        save_marks(db, workspace, run, folder)


def forget_parentage(workspace: Workspace, run: str) -> None:
    """Forget how a run began that is gone, so that a new run of its name begins by itself."""
    with open_database(workspace.database, writing=True) as db:
        db.execute("DELETE FROM parentage WHERE run = ?", (run,))


def read_parentage(workspace: Workspace) -> dict[str, Parentage | None]:
    """What every run began from, by name; None for those that began by themselves.

    Runs of older versions say so in their settings alone.
    """
    kept, runs = read_kept_parentage(workspace), list_runs(workspace.runs)
    return {run: kept.get(run) or _read_setting(workspace, run) for run in runs}


def read_kept_parentage(workspace: Workspace) -> dict[str, Parentage]:
    """What the database knows that runs began from, by name, in one look."""
    with open_database(workspace.database) as db:
        return _query(db)


def follow_renaming(db: sqlite3.Connection, workspace: Workspace, old: str, new: str) -> None:
    """Let the children of a run know its new name; doing it again changes nothing.

    Args:
        db: a connection in which nobody else writes meanwhile.
    """
    _settle(db, workspace)
    db.execute("UPDATE parentage SET parent = ? WHERE parent = ? AND NOT gone", (new, old))
    _save_children(db, workspace, new)


def follow_removal(db: sqlite3.Connection, workspace: Workspace, run: str) -> None:
    """Let the children of a run know that it is gone; doing it again changes nothing.

    Args:
        db: a connection in which nobody else writes meanwhile.
    """
    _settle(db, workspace)
    db.execute("UPDATE parentage SET gone = 1 WHERE parent = ?", (run,))
    _save_children(db, workspace, run)


def _settle(db: sqlite3.Connection, workspace: Workspace) -> None:
    """Keep the parents that runs of older versions name in their settings alone."""
    kept = _query(db)
    for run in list_runs(workspace.runs):
        if run not in kept and (begun := _read_setting(workspace, run)) is not None:
            _insert(db, run, begun)


def _save_children(db: sqlite3.Connection, workspace: Workspace, parent: str) -> None:
    there = {*list_runs(workspace.runs)}
    rows = db.execute("SELECT run FROM parentage WHERE parent = ?", (parent,)).fetchall()
    for run in there & {row["run"] for row in rows}:
        save_marks(db, workspace, run)


def _insert(db: sqlite3.Connection, run: str, begun: Parentage) -> None:
    db.execute(
        "INSERT INTO parentage (run, kind, parent, batch, gone) VALUES (?, ?, ?, ?, ?)",
        (run, begun.kind, begun.parent, begun.batch, begun.is_gone),
    )


def _query(db: sqlite3.Connection) -> dict[str, Parentage]:
    rows = db.execute("SELECT run, kind, parent, batch, gone FROM parentage")
    return {
        row["run"]: Parentage(row["kind"], row["parent"], row["batch"], bool(row["gone"]))
        for row in rows
    }


def _read_setting(workspace: Workspace, run: str) -> Parentage | None:
    """What the settings of a run say that it began from; None where they cannot be read."""
    path = workspace.run_config(run)
    try:
        parent, batch = split_checkpoint(_read_parent(path, path.stat().st_mtime_ns))
        if not parent or batch is None:
            return None
        kept = open_catalogue(workspace.runs, run).batches
    except (OSError, *EXPECTED_ERRORS):
        return None  # It was not trained here, or `studio verify` says what is wrong.
    branches = bool(kept) and kept[0] > batch > 0
    return Parentage(BRANCH if branches else WARM_START, parent, batch)


@lru_cache(maxsize=4096)
def _read_parent(path: Path, changed_ns: int) -> str:
    """The setting `parent`; pages ask for that of every run whenever something has changed."""
    return TrainingConfig.read(path).parent


def iterate_ancestors(parents: dict[str, Parentage | None], run: str) -> Iterator[str]:
    """The runs that a run descends from, the nearest first, as far as they are there.

    Example:
        >>> parents = {"a": None, "b": Parentage("branch", "a", 7), "c": Parentage("cull", "b", 9)}
        >>> [*iterate_ancestors(parents, "c")]
        ['b', 'a']
    """
    seen = {run}
    while (begun := parents.get(run)) is not None:
        run = begun.parent
        if begun.is_gone or run in seen or run not in parents:
            return
        seen.add(run)
        yield run


def list_children(parents: dict[str, Parentage | None], run: str) -> Sequence[str]:
    """The runs that began from a run, sorted by the batch at which they did."""
    found = [
        (begun.batch, child)
        for child, begun in parents.items()
        if begun is not None and begun.parent == run and not begun.is_gone and run in parents
    ]
    return [child for _, child in sorted(found)]
