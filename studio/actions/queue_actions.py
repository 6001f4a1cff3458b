"""The queue of jobs: pause and go on, begin now or later, the order, and the same once more."""

from __future__ import annotations

from collections.abc import Iterator

from studio.actions.action import Action, Done, Result, Table
from studio.actions.declared.run_actions import Settings
from studio.actions.job_actions import (
    SECTION,
    BeginningAction,
    JobStarted,
    brought_by,
    job_number,
)
from studio.actions.job_options import JobOptions
from studio.workspace.errors import StudioError
from studio.workspace.jobs import JobRow, find_job
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.queue.requests import (
    Direction,
    begin_at_once,
    move_job,
    offered_jobs,
    pause_job,
    schedule_job,
)
from studio.workspace.records.record import InvalidValueError, option
from studio.workspace.trust import Named


class JobsPause(Action):
    """Pause a job; its device is free meanwhile.

    One that works ends at a point from which it can go on: training saves its state, a film keeps
    its finished parts, and other work keeps what it has written.
    """

    command = "jobs pause"
    section = SECTION
    is_job = False

    job: int = job_number()

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Ask it to pause."""
        pause_job(workspace, find_job(workspace, self.job))
        return Done(said=f"Job {self.job} pauses. Let it go on: studio jobs resume {self.job}")


class JobsStarted(Result):
    """Jobs that were started."""

    jobs: tuple[JobStarted, ...]
    refused: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """1 where one of them cannot go on."""
        return int(bool(self.refused))

    def tell(self) -> Iterator[str | Table]:
        """A line for each."""
        for job in self.jobs:
            yield from job.tell()
        if not self.jobs and not self.refused:
            yield "No job was interrupted."

    def remarks(self) -> Iterator[str]:
        """Why some cannot go on."""
        yield from self.refused


class JobsResume(Action):
    """Let paused and interrupted jobs go on.

    Each keeps its place. Without numbers, all that were interrupted and whose work nobody has taken
    up since.
    """

    command = "jobs resume"
    section = SECTION
    is_job = False

    jobs: tuple[int, ...] = option((), "Numbers of jobs.", argument=True, metavar="JOB")

    def chosen(self, workspace: Workspace) -> list[JobRow]:
        """The jobs that are to go on."""
        if not self.jobs:
            return offered_jobs(workspace)
        return [find_job(workspace, number) for number in dict.fromkeys(self.jobs)]

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """What the jobs bring, which was named when they were asked for."""
        for job in self.chosen(workspace):
            yield from brought_by(workspace, job)

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobsStarted:
        """Give each a process; one that cannot go on does not keep the others from it."""
        from studio.actions.submission import go_on

        started, refused = [], []
        for job in self.chosen(workspace):
            try:
                again = go_on(workspace, job)
                started.append(JobStarted(id=again.id, text=again.text))
            except StudioError as error:
                refused.append(str(error))
        return JobsStarted(jobs=tuple(started), refused=tuple(refused))


class JobsStart(BeginningAction):
    """Begin a job now, whatever it waits for.

    It begins before others, before its time, and beside what works on its device. Only a GPU that a
    run trains on is waited for.
    """

    command = "jobs start"

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Tell the waiting process, or give one to a job that was paused or interrupted."""
        from studio.actions.submission import go_on

        job = find_job(workspace, self.job)
        if job.status in ("paused", "interrupted"):
            go_on(workspace, job, at_once=True)
        else:
            begin_at_once(workspace, job)
        return Done(said=f"Job {self.job} begins.")


class JobsMove(Action):
    """Change where a waiting job stands in the order."""

    command = "jobs move"
    section = SECTION
    is_job = False

    job: int = job_number()
    to: Direction | None = option(None, "Where to: one place up or down, or an end.")
    before: int | None = option(None, "To the place before this job.", metavar="JOB", ge=1)

    def check(self, workspace: Workspace) -> None:
        """Refuse two places, and none."""
        if (self.to is None) == (self.before is None):
            raise InvalidValueError("Use one of {to} and {before}.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Move it."""
        move_job(workspace, find_job(workspace, self.job), self.to, self.before)
        return Done()


class JobsSchedule(JobOptions, Action):
    """Change when a waiting job may begin.

    Without options, it begins as soon as its device is free.
    """

    command = "jobs schedule"
    section = SECTION
    is_job = False

    job: int = job_number()

    def check(self, workspace: Workspace) -> None:
        """Refuse `anyway` without a job."""
        self.terms()

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Write it down; the job looks once a second."""
        schedule_job(workspace, find_job(workspace, self.job), self.terms())
        return Done()


class JobsDuplicate(BeginningAction):
    """Queue what a job does once more.

    It may have other values. Training makes a run with a number behind its name, unless another
    name is given.
    """

    command = "jobs duplicate"

    settings: Settings = option(
        {},
        "Fields of the action as NAME=VALUE, such as batches=2000.",
        argument=True,
        metavar="NAME=VALUE",
    )

    def duplicate(self, workspace: Workspace) -> Action:
        """The action of the new job.

        Raises:
            InvalidValueError: a change does not fit.
        """
        from studio.actions.submission import action_of

        action = action_of(find_job(workspace, self.job))
        changed = type(action).read({**action.model_dump(mode="json"), **self.settings})
        return changed if self.settings.keys() & {"run"} else changed.duplicated(workspace)

    def begins(self, workspace: Workspace) -> Action | None:
        """The action of the new job, where it has other values."""
        return self.duplicate(workspace) if self.settings else None

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """What the new job brings: what is changed is named here, the rest by the other job."""
        source = f"job {self.job}"
        for named in self.duplicate(workspace).brings(workspace):
            changed = named.value in map(str, self.settings.values())
            yield Named(named.name, named.risk, named.value, "" if changed else source)

    def perform(self, workspace: Workspace, reporter: Reporter) -> JobStarted:
        """Start it."""
        from studio.actions.submission import submit

        again = submit(workspace, self.duplicate(workspace))
        return JobStarted(id=again.id, text=again.text)


ACTIONS: tuple[type[Action], ...] = (
    *(JobsPause, JobsResume, JobsStart, JobsMove),
    *(JobsSchedule, JobsDuplicate),
)
