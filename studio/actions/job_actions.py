"""Jobs: what works in the background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from studio.actions.action import Action, Done, Result, Table
from studio.workspace.jobs import JobRow, cancel_job, find_job, list_jobs
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.record import option

SECTION = "Jobs"


def job_number() -> Any:
    """The field of a job."""
    return option(help="Number of a job: studio jobs list", argument=True, metavar="JOB")


class JobList(Result):
    """The newest jobs, the newest first."""

    jobs: tuple[JobRow, ...]

    def document(self) -> Any:
        """One object a job."""
        return [asdict(job) for job in self.jobs]

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        yield Table(
            ["job", "status", "done", "of", "command", "note"],
            [(job.id, job.status, job.done, job.total, job.text, job.note) for job in self.jobs],
            "No jobs yet.",
        )


class JobsList(Action):
    """List the jobs, the newest first."""

    command = "jobs list"
    section = SECTION
    is_job = False

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobList:
        """Read the jobs."""
        return JobList(jobs=tuple(list_jobs(workspace)))


class JobLog(Result):
    """What a job has said so far."""

    text: str

    def tell(self) -> Iterator[str | Table]:
        """The text."""
        yield self.text


class JobsLog(Action):
    """Print what a job has said so far."""

    command = "jobs log"
    section = SECTION
    is_job = False

    job: int = job_number()

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobLog:
        """Read its log."""
        path = workspace.log(find_job(workspace, self.job).id)
        said = path.read_text(encoding="utf-8", errors="replace") if path.exists() else "No log."
        return JobLog(text=said)


class JobsCancel(Action):
    """Ask a job to end; what it finished stays."""

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


class JobsRetry(Action):
    """Run a job again; it goes on where it was."""

    command = "jobs retry"
    section = SECTION
    is_job = False

    job: int = job_number()

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobStarted:
        """Start its action as a new job."""
        from studio.actions.submission import retry

        again = retry(workspace, find_job(workspace, self.job))
        return JobStarted(id=again.id, text=again.text)


ACTIONS = (JobsList, JobsLog, JobsCancel, JobsRetry)
