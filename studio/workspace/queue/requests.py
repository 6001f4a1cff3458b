"""What is asked of jobs: to end, to pause, to go on, to begin at once, another place or time.

Each request is one statement or one transaction, so that of two people who press at once one is
told that the other was first.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.jobs import (
    ACTIVE,
    CANCELLED,
    INTERRUPTED,
    PAUSED,
    UNENDED,
    JobRow,
    Terms,
    find_job,
    is_alive,
    jobs_that_are,
    update_job,
)
from studio.workspace.paths import Workspace

Direction = Literal["first", "up", "down", "last"]
WAITING = ("queued", PAUSED)  # These have a place in the order that can be changed.
STOPPED = (PAUSED, INTERRUPTED)  # These can go on.
REQUEUED = (
    "status = 'queued', pid = NULL, pid_created_at = NULL, finished_at = NULL, waits_for = '', "
    "asked = '', note = ''"
)


def stop_job(workspace: Workspace, job: JobRow, asked: str) -> None:
    """Ask the process of a job to end. Training saves its state; a render keeps finished parts.

    Args:
        asked: its status then; one that has not begun can be paused or cancelled alone.
    """
    with open_database(workspace.database, writing=True) as db:
        # One that waits holds nothing, and one that works says itself how it ended.
        waiting = db.execute(
            "UPDATE jobs SET status = ?, finished_at = ?, waits_for = '', note = '' "
            "WHERE id = ? AND status = 'queued'",
            (PAUSED if asked == PAUSED else CANCELLED, time.time(), job.id),
        ).rowcount
        if not waiting:
            db.execute(
                "UPDATE jobs SET asked = ? WHERE id = ? AND status = 'running'", (asked, job.id)
            )
    if job.pid is not None and is_alive(job):
        with suppress(ProcessLookupError):  # It has ended just now.
            os.kill(job.pid, signal.SIGTERM)


def cancel_job(workspace: Workspace, job: JobRow) -> None:
    """Give a job up, whether it works, waits, is paused or was interrupted.

    Raises:
        StudioError: it has ended already.
    """
    if job.status in STOPPED:
        update_job(workspace, job.id, status=CANCELLED, finished_at=time.time())
        return
    if job.status not in ACTIVE:
        raise StudioError(f"Job {job.id} is {job.status} already; there is nothing to cancel.")
    stop_job(workspace, job, CANCELLED)


def pause_job(workspace: Workspace, job: JobRow) -> None:
    """Let a job wait until somebody lets it go on; its devices are free, and it keeps its place.

    Raises:
        StudioError: it neither works nor waits.
    """
    if job.status not in ACTIVE:
        raise StudioError(f"Job {job.id} is {job.status}, so it cannot be paused.")
    stop_job(workspace, job, PAUSED)


def queue_again(workspace: Workspace, job: JobRow, at_once: bool = False) -> None:
    """Put a job that was paused or interrupted back in its place; its process is still to come.

    Args:
        at_once: it waits for nothing.

    Raises:
        StudioError: it is neither.
    """
    with open_database(workspace.database) as db:
        changed = db.execute(
            f"UPDATE jobs SET {REQUEUED}, queued_at = ?, at_once = ? "
            "WHERE id = ? AND status IN ('paused', 'interrupted')",
            (time.time(), int(at_once), job.id),
        ).rowcount
    if not changed:
        job = find_job(workspace, job.id)
        raise StudioError(
            f"Job {job.id} is {job.status}, so it cannot go on: only what was paused or "
            f"interrupted can. Begin it again: studio jobs retry {job.id}"
        )


def begin_at_once(workspace: Workspace, job: JobRow) -> None:
    """Let a job that waits begin, whatever it waits for.

    Raises:
        StudioError: it does not wait.
    """
    with open_database(workspace.database) as db:
        changed = db.execute(
            "UPDATE jobs SET at_once = 1 WHERE id = ? AND status = 'queued'", (job.id,)
        ).rowcount
    if not changed:
        raise StudioError(f"Job {job.id} is {job.status}, and does not wait.")


def offered_jobs(workspace: Workspace) -> list[JobRow]:
    """The interrupted jobs whose work nobody has taken up since, in their order."""
    found = jobs_that_are(workspace, *ACTIVE, INTERRUPTED)  # What is found dead is marked.
    interrupted = [job for job in found if job.status == INTERRUPTED]
    return [job for job in interrupted if not _was_taken_up(workspace, job)]


def _was_taken_up(workspace: Workspace, job: JobRow) -> bool:
    """Whether a later job trains the same run, or does exactly the same."""
    with open_database(workspace.database) as db:
        row = db.execute(
            "SELECT 1 FROM jobs AS later JOIN jobs AS own ON own.id = ? WHERE later.id > own.id "
            "AND later.status != 'cancelled' AND ((later.action = own.action "
            "AND later.fields = own.fields) OR (own.action IN ('train', 'resume') "
            "AND later.action IN ('train', 'resume') AND later.run = own.run)) LIMIT 1",
            (job.id,),
        ).fetchone()
    return row is not None


def move_job(
    workspace: Workspace, job: JobRow, to: Direction | None, before: int | None = None
) -> None:
    """Change where a waiting job stands in the order.

    The places stay what they are; the jobs change theirs, so that no two have the same.

    Args:
        to: where to, if not before another job.
        before: the number of a job that waits, too.

    Raises:
        StudioError: one of them does not wait.
    """
    with open_database(workspace.database, writing=True) as db:
        rows = db.execute(
            "SELECT id, COALESCE(place, id) AS place FROM jobs "
            "WHERE status IN ('queued', 'paused') ORDER BY 2, 1"
        ).fetchall()
        order, places = [row["id"] for row in rows], [row["place"] for row in rows]
        for number in filter(None, (job.id, before)):
            if number not in order:
                raise StudioError(f"Job {number} does not wait, so it has no place in the order.")
        for number, place in zip(_reorder(order, job.id, to, before), places, strict=True):
            db.execute("UPDATE jobs SET place = ? WHERE id = ?", (place, number))


def _reorder(order: Sequence[int], job: int, to: Direction | None, before: int | None) -> list[int]:
    """The numbers of jobs with one of them elsewhere.

    Example:
        >>> _reorder([1, 2, 3, 4], 3, "first", None), _reorder([1, 2, 3], 1, None, 3)
        ([3, 1, 2, 4], [2, 1, 3])
    """
    others = [number for number in order if number != job]
    was = list(order).index(job)
    if before is not None and before != job:
        index = others.index(before)
    else:
        places = {"first": 0, "up": was - 1, "down": was + 1, "last": len(others)}
        index = max(0, places.get(to or "", was))
    return [*others[:index], job, *others[index:]]


def schedule_job(workspace: Workspace, job: JobRow, terms: Terms) -> None:
    """Change when a waiting job may begin.

    Args:
        terms: its devices stay what they are.

    Raises:
        StudioError: it does not wait, or it would wait for itself, or see `check_terms`.
    """
    check_terms(workspace, terms)
    with open_database(workspace.database, writing=True) as db:
        rows = db.execute("SELECT id, follows FROM jobs WHERE follows IS NOT NULL").fetchall()
        follows = {row["id"]: row["follows"] for row in rows} | {job.id: terms.follows}
        _refuse_circle(follows, job.id)
        changed = db.execute(
            "UPDATE jobs SET follows = ?, follows_any = ?, not_before = ?, at_once = 0 "
            "WHERE id = ? AND status IN ('queued', 'paused')",
            (terms.follows, int(terms.follows_any), terms.not_before, job.id),
        ).rowcount
    if not changed:
        raise StudioError(f"Job {job.id} is {job.status}, and does not wait.")


def _refuse_circle(follows: dict[int, int | None], job: int) -> None:
    """Raise StudioError where a job waits for itself in the end."""
    seen: list[int] = []
    at: int | None = job
    while at is not None:
        if at in seen:
            ways = " follows ".join(f"job {number}" for number in [*seen, at])
            raise StudioError(f"None of them would ever begin: {ways}. Choose another job.")
        seen.append(at)
        at = follows.get(at)


def check_terms(workspace: Workspace, terms: Terms) -> None:
    """Refuse to follow a job that is not there, or that has ended badly already.

    Raises:
        StudioError: why.
    """
    if terms.follows is None:
        if terms.follows_any:
            raise StudioError("Say which job it follows: --after JOB")
        return
    other = find_job(workspace, terms.follows)
    if other.status in ("failed", CANCELLED) and not terms.follows_any:
        raise StudioError(
            f"Job {other.id} is {other.status} already, so nothing that follows it would begin. "
            "Begin it however that one ended: --anyway"
        )


def takes_up_later(workspace: Workspace, terms: Terms) -> bool:
    """Whether a job follows one that has not ended, which may still make what it needs."""
    if terms.follows is None:
        return False
    return find_job(workspace, terms.follows).status in (*UNENDED, INTERRUPTED)
