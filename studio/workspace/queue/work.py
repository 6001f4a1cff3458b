"""What a process does that is a job: it says that it has begun, and how it has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from studio.workspace.advice import explain
from studio.workspace.database import open_database
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import CANCELLED, INTERRUPTED, process_began
from studio.workspace.paths import Workspace


@dataclass
class Work:
    """What a job is at work on.

    Attributes:
        is_whole: whether it came to its end; else it can go on another time.
    """

    is_whole: bool = True


@contextmanager
def working_as_job(workspace: Workspace, job_id: int, stopped: str = CANCELLED) -> Iterator[Work]:
    """Let this process be a job, and record how it ends.

    Args:
        stopped: the status of work that was stopped without anybody having asked the job to end:
            INTERRUPTED where only a machine that is shut down does so.

    Raises:
        StudioError: the job was cancelled or paused before it began.
    """
    pid = os.getpid()
    started = {"pid": pid, "pid_created_at": process_began(pid), "started_at": time.time()}
    with open_database(workspace.database) as db:
        begun = db.execute(
            "UPDATE jobs SET status = 'running', pid = :pid, pid_created_at = :pid_created_at, "
            "started_at = :started_at, waits_for = '', note = '' "
            "WHERE id = :id AND status NOT IN ('cancelled', 'paused')",
            {**started, "id": job_id},
        )
    if not begun.rowcount:
        raise StudioError(f"Job {job_id} was cancelled before it began.")
    work = Work()
    try:
        yield work
    except BaseException as error:
        ended = isinstance(error, KeyboardInterrupt | SystemExit)
        expected = isinstance(error, EXPECTED_ERRORS)
        said = explain(error) if expected else f"{type(error).__name__}: {error}"
        if ended:
            _end(workspace, job_id, as_asked=stopped)
        else:
            _end(workspace, job_id, status="failed", note=said)
        raise
    left = "" if work.is_whole else INTERRUPTED if stopped == INTERRUPTED else "done"
    _end(workspace, job_id, as_asked=left, status="done")


def _end(workspace: Workspace, job_id: int, as_asked: str = "", **values: Any) -> None:
    """Write down that a job has ended.

    Args:
        as_asked: it was stopped: its status is what it was asked for, or this.
    """
    with open_database(workspace.database, writing=True) as db:
        row = db.execute("SELECT asked FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if as_asked:
            values |= {"status": row["asked"] or as_asked, "note": ""}
        values |= {"asked": "", "finished_at": time.time()}
        assignments = ", ".join(f"{name} = ?" for name in values)
        db.execute(f"UPDATE jobs SET {assignments} WHERE id = ?", (*values.values(), job_id))
