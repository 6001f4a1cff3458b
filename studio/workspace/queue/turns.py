"""The turn of a job: what it waits for, in which order, and the devices that it holds at work.

Nobody schedules: each waiting job is a process that looks once a second whether its turn has come.
Its time has come, the job that it follows has ended, no job that wants one of its devices stands
before it, and then the leases of its devices are free, which the system takes back from whoever
dies. What waits has neither networks nor torch in memory, unless it is next and waits for somebody
who is no job.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.jobs import (
    CANCELLED,
    INTERRUPTED,
    JobRow,
    Needs,
    find_job,
    jobs_that_are,
    process_began,
    update_job,
)
from studio.workspace.paths import Workspace
from studio.workspace.progress import Say

if TYPE_CHECKING:
    from studio.workspace.devices import DeviceLease

POLL_S = 1.0


class NotFollowedError(StudioError):
    """The job that was to come before ended badly, so this one does not begin."""

    def __init__(self, job: int, before: int, status: str) -> None:
        self.job, self.before, self.status = job, before, status
        super().__init__(
            f"Not begun: job {before}, which it follows, is {status}. Begin it all the same: "
            f"studio jobs retry {job}"
        )

    def __reduce__(self) -> tuple[type[NotFollowedError], tuple[int, int, str]]:
        return type(self), (self.job, self.before, self.status)


@contextmanager
def awaiting_turn(workspace: Workspace, job_id: int, say: Say) -> Iterator[tuple[str, ...]]:
    """Wait until a job may begin; this process is the job's.

    Args:
        say: told what is waited for, whenever that changes.

    Yields:
        The devices that it holds for the length of the block; none where it needs none.

    Raises:
        StudioError: it was cancelled or paused meanwhile, or the job that it follows ended badly.
    """
    _take_over(workspace, job_id)
    with ExitStack() as stack:
        while True:
            job = _require_waiting(workspace, job_id)
            reason = find_obstacle(workspace, job)
            held: dict[str, DeviceLease] = {}
            if reason is None and job.needs is not None and not job.at_once:
                reason, held = _take_devices(workspace, job, job.needs)
            if reason is None:
                break
            if reason != job.waits_for:
                update_job(workspace, job_id, waits_for=reason)
                say(reason)
            time.sleep(POLL_S)
        for lease in held.values():
            stack.enter_context(lease)
        yield tuple(held)


def find_obstacle(workspace: Workspace, job: JobRow) -> str | None:
    """What keeps a job from beginning, as a sentence; None where only devices may.

    Raises:
        NotFollowedError: the job that it follows ended badly.
    """
    if job.at_once:
        return None
    if job.not_before is not None and job.not_before > time.time():
        return f"Begins on {time.strftime('%d %b at %H:%M', time.localtime(job.not_before))}."
    if (reason := _wait_for_other(workspace, job)) is not None:
        return reason
    if (ahead := _find_ahead(workspace, job)) is not None:
        return f"Waits for its turn: job {ahead.id} is before it."
    if (holder := _find_holder(workspace, job)) is not None:
        return f"Waits for its device: job {holder.id} is at work on it."
    return None


def _wait_for_other(workspace: Workspace, job: JobRow) -> str | None:
    """The sentence about the job that has to end before."""
    if job.follows is None:
        return None
    other = find_job(workspace, job.follows)
    if other.status == "done" or (other.status in ("failed", CANCELLED) and job.follows_any):
        return None
    if other.status in ("failed", CANCELLED):
        raise NotFollowedError(job.id, other.id, other.status)
    return f"Waits for job {other.id}, which is {other.status}."


def _find_ahead(workspace: Workspace, job: JobRow) -> JobRow | None:
    """The first job that stands before another one and waits for devices of it."""
    if job.needs is None:
        return None
    for other in jobs_that_are(workspace, "queued"):
        if (other.order, other.id) >= (job.order, job.id):
            return None
        if (
            other.needs is not None
            and _overlap(other.needs, job.needs)
            and _is_due(workspace, other)
        ):
            return other
    return None


def _find_holder(workspace: Workspace, job: JobRow) -> JobRow | None:
    """A job at work that leaves another one too few devices.

    The leases say the same, and more; but to ask for them takes torch, which names the cards.
    """
    wanted = job.needs
    if wanted is None:
        return None
    for other in jobs_that_are(workspace, "running"):
        held = other.needs
        if held is None or held.kind != wanted.kind or other.at_once or other.id == job.id:
            continue
        left = {*wanted.devices} - {*held.devices}
        holds_all = held.count >= len(held.devices)
        if holds_all and len(left) < min(wanted.count, len(wanted.devices)):
            return other
    return None


def _overlap(one: Needs, other: Needs) -> bool:
    return one.kind == other.kind and not {*one.devices}.isdisjoint(other.devices)


def _is_due(workspace: Workspace, job: JobRow) -> bool:
    """Whether a job waits for devices alone; only then others wait for it."""
    if job.at_once or (job.not_before is not None and job.not_before > time.time()):
        return False
    try:
        return _wait_for_other(workspace, job) is None
    except NotFollowedError:
        return False


def _take_devices(
    workspace: Workspace, job: JobRow, needs: Needs
) -> tuple[str | None, dict[str, DeviceLease]]:
    """What a job waits for, and the leases of the devices that it needs, of which one is empty."""
    from studio.workspace.devices import describe_wait, take_leases

    asked = (needs.devices, min(needs.count, len(needs.devices)))
    how = needs.kind, needs.exclusive
    held = take_leases(workspace.leases, *asked, f"job {job.id}, {job.text}", *how)
    return (None if held else describe_wait(workspace.leases, *asked, *how)), held


def _take_over(workspace: Workspace, job_id: int) -> None:
    """Note this process in the row: whoever started it may have been killed before it could.

    A machine that slept, or was very busy, may have taken so long to start it that the job was
    thought to be lost.
    """
    pid = os.getpid()
    with open_database(workspace.database) as db:
        db.execute(
            "UPDATE jobs SET pid = ?, pid_created_at = ?, status = 'queued', finished_at = NULL "
            "WHERE id = ? AND (status = 'queued' OR (status = ? AND pid IS NULL))",
            (pid, process_began(pid), job_id, INTERRUPTED),
        )


def _require_waiting(workspace: Workspace, job_id: int) -> JobRow:
    """The job, which still waits, in this process.

    Raises:
        StudioError: it does not.
    """
    job = find_job(workspace, job_id)
    if job.status != "queued":
        raise StudioError(f"Job {job.id} was {job.status} before it began.")
    if job.pid != os.getpid():
        raise StudioError(f"Job {job.id} waits in another process by now.")
    return job
