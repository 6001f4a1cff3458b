"""Jobs: what works in the background."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from studio.actions.action import Action, Done, Result, Table
from studio.workspace.errors import StudioError
from studio.workspace.jobs import UNENDED, JobRow, find_job, list_jobs
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.queue.requests import cancel_job
from studio.workspace.records.quantities import format_duration
from studio.workspace.records.record import option
from studio.workspace.trust import Named

SECTION = "Jobs"
TAIL = 40  # Lines.
LOOK_S = 0.2  # Seconds between two looks at a job.
MAX_WAIT_S = 300  # Whoever waits longer asks again, so that nobody holds a place for hours.


def job_number() -> Any:
    """The field of a job."""
    return option(help="Number of a job: studio jobs list", argument=True, metavar="JOB", ge=1)


class JobList(Result):
    """The newest jobs, the newest first."""

    jobs: tuple[JobRow, ...]

    def document(self) -> Any:
        """One object a job."""
        return [asdict(job) for job in self.jobs]

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        rows = [
            (job.id, job.status, job.done, job.total, job.text, job.waits_for or job.note)
            for job in self.jobs
        ]
        yield Table(["job", "status", "done", "of", "command", "note"], rows, "No jobs yet.")


class JobsList(Action):
    """List the jobs, the newest first."""

    command = "jobs list"
    section = SECTION
    is_job = False

    newest: int = option(50, "How many.", ge=1, le=10_000)

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobList:
        """Read the jobs."""
        return JobList(jobs=tuple(list_jobs(workspace, self.newest)))


class JobLog(Result):
    """What a job has said so far."""

    text: str

    def tell(self) -> Iterator[str | Table]:
        """The text."""
        yield from self.text.splitlines()


class JobsLog(Action):
    """Print what a job has said so far."""

    command = "jobs log"
    section = SECTION
    is_job = False

    job: int = job_number()
    tail: bool = option(False, f"Only the last {TAIL} lines.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobLog:
        """Read its log."""
        path = workspace.log(find_job(workspace, self.job).id)
        said = path.read_text(encoding="utf-8", errors="replace") if path.exists() else "No log."
        return JobLog(text="\n".join(said.splitlines()[-TAIL:]) if self.tail else said)


class JobState(Result):
    """How a job stands; `left_s` are the seconds that it takes at its pace, where that is known."""

    id: int
    text: str
    run: str | None
    status: str
    done: int
    total: int
    left_s: float | None
    note: str
    waits_for: str
    ended: bool

    @classmethod
    def of(cls, job: JobRow) -> JobState:
        """The state that a row tells."""
        names = ("id", "text", "run", "status", "done", "total", "left_s", "note", "waits_for")
        return cls(**{n: getattr(job, n) for n in names}, ended=job.status not in UNENDED)

    @property
    def exit_status(self) -> int:
        """1 where it has ended badly."""
        return int(self.ended and self.status != "done")

    def tell(self) -> Iterator[str | Table]:
        """A sentence."""
        left = "" if self.left_s is None else f", {format_duration(self.left_s, 'clock')} left"
        far = f", {self.done:,} of {self.total:,}{left}" if self.total else ""
        said = " ".join(part for part in (self.waits_for, self.note) if part)
        yield f"Job {self.id} is {self.status}{far}{': ' + said if said else '.'}"


class JobsShow(Action):
    """Tell how a job stands.

    Whether it has ended, how far it is, and what it waits for.
    """

    command = "jobs show"
    section = SECTION
    is_job = False

    job: int = job_number()

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobState:
        """Read its row."""
        return JobState.of(find_job(workspace, self.job))


class JobsWait(Action):
    """Wait for the end of a job, however it ends.

    It waits for a while at most, and then tells how the job stands.
    """

    command = "jobs wait"
    section = SECTION
    is_job = False
    waits = True

    job: int = job_number()
    seconds: float = option(30.0, "At most so long.", unit="s", gt=0, le=MAX_WAIT_S)

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobState:
        """Look at its row now and then."""
        deadline = time.monotonic() + self.seconds
        while (job := find_job(workspace, self.job)).status in UNENDED:
            if time.monotonic() >= deadline:
                break
            time.sleep(LOOK_S)
        return JobState.of(job)


class JobOutcome(Result):
    """What a job gave back.

    Attributes:
        action: the name of what it did, which knows how to read what it `gave`.
    """

    action: str
    gave: Any

    @property
    def inner(self) -> Result:
        """The result of the action."""
        from studio.actions.registry import find_action

        return find_action(self.action).result_type().read(self.gave)

    @property
    def exit_status(self) -> int:
        """That of the result."""
        return self.inner.exit_status

    def document(self) -> Any:
        """That of the result."""
        return self.inner.document()

    def tell(self) -> Iterator[str | Table]:
        """What the action tells."""
        return self.inner.tell()

    def remarks(self) -> Iterator[str]:
        """Those of the result."""
        return self.inner.remarks()

    def named_files(self) -> Iterator[Path]:
        """Those of the result."""
        return self.inner.named_files()


class JobsResult(Action):
    """Print what a job that ended well gave back."""

    command = "jobs result"
    section = SECTION
    is_job = False

    job: int = job_number()

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobOutcome:
        """Read it from its row."""
        job = find_job(workspace, self.job)
        if job.status in UNENDED:
            raise StudioError(
                f"Job {job.id} is {job.status}. Wait for its end: studio jobs wait {job.id}"
            )
        if job.status != "done":
            raise StudioError(f"Job {job.id} is {job.status}{f': {job.note}' if job.note else '.'}")
        if job.result is None:
            raise StudioError(f"What job {job.id} gave back was not recorded. See its log.")
        return JobOutcome(action=job.action, gave=job.result)


class JobsCancel(Action):
    """Give a job up; what it finished stays."""

    command = "jobs cancel"
    section = SECTION
    is_job = False

    job: int = job_number()

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Ask it to end."""
        cancel_job(workspace, find_job(workspace, self.job))
        return Done()


class JobStarted(Result):
    """A job that was started."""

    id: int
    text: str

    def tell(self) -> Iterator[str | Table]:
        """Its number and its command."""
        yield f"Job {self.id}: {self.text}"

    def remarks(self) -> Iterator[str]:
        """How to watch it."""
        yield f"Watch it: studio jobs log {self.id}"


class BeginningAction(Action):
    """Something that lets the action of a job begin: it brings what that one brings."""

    section = SECTION
    is_job = False

    job: int = job_number()

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """What the job brings, which was named when it was asked for."""
        yield from brought_by(workspace, find_job(workspace, self.job))


def brought_by(workspace: Workspace, job: JobRow) -> Iterator[Named]:
    """What the action of a job brings, with the job as the place where it was named.

    Raises:
        StudioError: as `action_of`.
    """
    from studio.actions.submission import resumed_action

    for named in resumed_action(workspace, job).brings(workspace):
        yield replace(named, source=named.source or f"job {job.id}")


class JobsRetry(BeginningAction):
    """Run a job again; it goes on where it was."""

    command = "jobs retry"

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobStarted:
        """Start its action as a new job."""
        from studio.actions.submission import retry

        again = retry(workspace, find_job(workspace, self.job))
        return JobStarted(id=again.id, text=again.text)


ACTIONS = (JobsList, JobsShow, JobsWait, JobsResult, JobsLog, JobsCancel, JobsRetry)
