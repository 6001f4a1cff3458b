"""Pins: batches of a run whose checkpoints are never thinned out."""

from __future__ import annotations

import time

from checkpoints_index.storage.catalogue import open_catalogue
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace


def pin_batch(workspace: Workspace, run: str, batch: int) -> None:
    """Keep a checkpoint for good; pinning it once more changes nothing.

    Raises:
        StudioError: there is no such checkpoint.
        CheckpointError: there is no such run.
    """
    if batch not in open_catalogue(workspace.runs, run).records:
        raise StudioError(
            f"Run '{run}' has no checkpoint {batch} to pin. "
            f"See what there is: studio checkpoints {run}"
        )
    with open_database(workspace.database) as db:
        db.execute(
            "INSERT OR IGNORE INTO pins (run, batch, created_at) VALUES (?, ?, ?)",
            (run, batch, time.time()),
        )


def unpin_batch(workspace: Workspace, run: str, batch: int) -> None:
    """Let a checkpoint be thinned out like others.

    Raises:
        StudioError: the batch is not pinned.
        CheckpointError: there is no such run.
    """
    open_catalogue(workspace.runs, run)
    with open_database(workspace.database) as db:
        gone = db.execute("DELETE FROM pins WHERE run = ? AND batch = ?", (run, batch)).rowcount
    if not gone:
        pinned = ", ".join(map(str, list_pins(workspace, run))) or "none"
        raise StudioError(f"Batch {batch} of run '{run}' is not pinned. Pinned: {pinned}.")


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
