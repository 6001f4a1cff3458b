"""Pins: batches of a run whose checkpoints are never thinned out."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Sequence

from checkpoints_index.errors import name_some
from checkpoints_index.storage.catalogue import open_catalogue
from studio.runs.selection import choose_batches
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.marks import save_marks
from studio.workspace.paths import Workspace

MAX_DIGITS = 18  # Longer numbers are no batches, and have no place in the database.
MAX_NAMED = 8  # Batches that a message names.


def choose_some(there: Sequence[int], words: Sequence[str], run: str) -> list[int]:
    """The batches that some words choose, ascending.

    Args:
        there: the batches among which ranges choose, ascending.
        words: each a batch, several with commas between, or a range FROM:TO or FROM:TO:STEP
            (half-open, as in Python), which chooses those that are there.
        run: its name in messages.

    Raises:
        StudioError: a word cannot be read, or a range chooses nothing.

    Example:
        >>> choose_some([1, 2, 3, 4, 9], ["2:9:2", "9"], "city")
        [2, 4, 9]
    """
    chosen: set[int] = set()
    for word in words:
        if ":" in word:
            chosen.update(choose_batches(there, word, run, skip_missing=True))
            continue
        parts = [part.strip() for part in word.split(",")]
        if not all(part.isdecimal() and len(part) <= MAX_DIGITS for part in parts):
            raise StudioError(f"'{word}' is no batch. Write a number, or FROM:TO:STEP.")
        chosen.update(map(int, parts))
    return sorted(chosen)


def refuse_missing(kept: Container[int], wanted: Iterable[int], run: str) -> None:
    """Refuse batches that have no checkpoint.

    Raises:
        StudioError: the text names them.
    """
    if missing := [str(batch) for batch in wanted if batch not in kept]:
        raise StudioError(
            f"Run '{run}' has no checkpoint {name_some(missing, MAX_NAMED)}. "
            f"See what there is: studio checkpoints {run}"
        )


def pin_batches(workspace: Workspace, run: str, batches: Iterable[int]) -> None:
    """Keep checkpoints for good, all or none of them; pinning one once more changes nothing.

    Raises:
        StudioError: one of them is not there.
        CheckpointError: there is no such run.
    """
    wanted = list(batches)
    refuse_missing(open_catalogue(workspace.runs, run).records, wanted, run)
    with open_database(workspace.database, writing=True) as db:
        db.executemany(
            "INSERT OR IGNORE INTO pins (run, batch, created_at) VALUES (?, ?, ?)",
            [(run, batch, time.time()) for batch in wanted],
        )
        save_marks(db, workspace, run)


def unpin_batches(workspace: Workspace, run: str, batches: Iterable[int]) -> None:
    """Let checkpoints be thinned out like others, all or none of them.

    Raises:
        StudioError: one of them is not pinned.
        CheckpointError: there is no such run.
    """
    open_catalogue(workspace.runs, run)
    wanted, pins = list(batches), list_pins(workspace, run)
    if others := [batch for batch in wanted if batch not in pins]:
        named = name_some(list(map(str, others)), MAX_NAMED)
        pinned = name_some(list(map(str, pins)), MAX_NAMED) or "none"
        raise StudioError(f"Batch {named} of run '{run}' is not pinned. Pinned: {pinned}.")
    with open_database(workspace.database, writing=True) as db:
        db.executemany(
            "DELETE FROM pins WHERE run = ? AND batch = ?", [(run, batch) for batch in wanted]
        )
        save_marks(db, workspace, run)


def list_pins(workspace: Workspace, run: str) -> list[int]:
    """The pinned batches of a run, ascending."""
    with open_database(workspace.database) as db:
        rows = db.execute("SELECT batch FROM pins WHERE run = ? ORDER BY batch", (run,)).fetchall()
    return [row["batch"] for row in rows]


def forget_pins(workspace: Workspace, run: str) -> None:
    """Delete the pins of a run that is gone, so that a new run of its name has none."""
    with open_database(workspace.database) as db:
        db.execute("DELETE FROM pins WHERE run = ?", (run,))


def specimen_batches(workspace: Workspace, run: str) -> list[int]:
    """The batches in the labels of a run's specimens, ascending."""
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT DISTINCT batch FROM specimens WHERE run = ? ORDER BY batch", (run,)
        ).fetchall()
    return [row["batch"] for row in rows]
