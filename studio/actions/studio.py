"""The Python API: a workspace whose actions are methods."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.actions.action import Action, Result
from studio.actions.catalogue import known_actions
from studio.actions.job_options import JobOptions
from studio.actions.registry import find_action
from studio.actions.submission import perform, submit
from studio.workspace.errors import StudioError
from studio.workspace.jobs import NO_TERMS, UNENDED, JobRow, Terms, find_job
from studio.workspace.paths import Workspace
from studio.workspace.queue.requests import cancel_job
from studio.workspace.records.declarations import declared_fields

OPTIONS = {option.name: option for option in declared_fields(JobOptions)}
LOOK_S = 0.2  # Seconds between two looks at a job.


class JobFailedError(StudioError):
    """A job ended without a result; `status` says how, the text why."""

    def __init__(self, job: int, status: str, note: str) -> None:
        self.job, self.status, self.note = job, status, note
        super().__init__(f"Job {job} is {status}{': ' + note if note else '.'}")

    def __reduce__(self) -> tuple[type[JobFailedError], tuple[int, str, str]]:
        return type(self), (self.job, self.status, self.note)


class Job:
    """An action that works in a process of its own.

    Attributes:
        id: its number, as `studio jobs` lists it.
    """

    def __init__(self, workspace: Workspace, job_id: int) -> None:
        self._workspace, self.id = workspace, job_id

    @property
    def row(self) -> JobRow:
        """The job as it stands now: its progress, its command and more."""
        return find_job(self._workspace, self.id)

    @property
    def status(self) -> str:
        """queued, running, paused, done, failed, cancelled or interrupted."""
        return self.row.status

    @property
    def error(self) -> str | None:
        """Why it failed; None where it did not."""
        row = self.row
        return (row.note or row.status) if row.status in ("failed", "interrupted") else None

    @property
    def log(self) -> str:
        """What it has said so far."""
        path = self._workspace.log(self.id)
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def wait(self, timeout_s: float = float("inf")) -> Job:
        """Return once it has ended, however it did.

        Raises:
            TimeoutError: it has not ended in time; it works on.
        """
        deadline = time.monotonic() + timeout_s
        while self.status in UNENDED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Job {self.id} still works after {timeout_s:g} s.")
            time.sleep(LOOK_S)
        return self

    def result(self) -> Result:
        """What it gave back, once it has ended.

        Raises:
            JobFailedError: it failed, was cancelled or was interrupted.
            StudioError: an earlier version of the studio did it, and recorded no result.
        """
        row = self.wait().row
        if row.status != "done":
            raise JobFailedError(row.id, row.status, row.note)
        if row.result is None:
            raise StudioError(f"What job {row.id} gave back was not recorded. See its log.")
        return find_action(row.action).result_type().read(row.result)

    def cancel(self) -> None:
        """Ask it to end; what it finished stays.

        Raises:
            StudioError: it has ended already.
        """
        cancel_job(self._workspace, self.row)

    def __repr__(self) -> str:
        row = self.row
        return f"<Job {row.id}: {row.text}, {row.status}, {row.done:,} of {row.total:,}>"


class Studio:
    """A workspace. Each action is a method that takes the fields of its command by name.

    `here.render_timelapse(run="city", points="seed:1")` returns the result of the action;
    with `detach=True`, where the action can be a job, a `Job` that works beside. `dir(here)` lists
    the actions, `help(here.train)` tells what one takes.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        """Open a workspace; see `studio.open`."""
        self.workspace = Workspace.open(folder)

    def job(self, job_id: int) -> Job:
        """A job by its number.

        Raises:
            StudioError: there is none.
        """
        return Job(self.workspace, find_job(self.workspace, job_id).id)

    def perform(self, action: Action) -> Result:
        """Carry out an action here, and return its result.

        Raises:
            StudioError: or an error of the libraries.
        """
        return perform(self.workspace, action)

    def submit(self, action: Action, terms: Terms = NO_TERMS) -> Job:
        """Start an action as a job.

        Args:
            terms: when it may begin.

        Raises:
            StudioError: or an error of the libraries, where it cannot be done.
        """
        return Job(self.workspace, submit(self.workspace, action, terms).id)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        for action in known_actions().values():
            if action.python_name() == name:
                return self._method(action)
        raise AttributeError(f"The studio has no action {name!r}. See dir() of it.")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(a.python_name() for a in known_actions().values())]

    def __repr__(self) -> str:
        return f"<Studio in {self.workspace.root}>"

    def _method(self, action: type[Action]) -> Callable[..., Any]:
        def call(**fields: Any) -> Any:
            detach, options = False, JobOptions()
            if action.is_job:
                detach = fields.pop("detach", False)
                options = JobOptions.read({n: fields.pop(n) for n in OPTIONS if n in fields})
            asked = action.read(fields)
            if detach or options != JobOptions():
                return self.submit(asked, options.terms())
            return self.perform(asked)

        call.__name__ = call.__qualname__ = action.python_name()
        call.__doc__ = _document(action)
        call.__signature__ = _signature(action)  # type: ignore[attr-defined]
        return call


def _signature(action: type[Action]) -> inspect.Signature:
    """The fields by name, and `detach` where the action can be a job."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(
            field.name,
            keyword,
            default=inspect.Parameter.empty if field.required else field.default,
            annotation=action.model_fields[field.name].annotation,
        )
        for field in action.fields()
    ]
    if action.is_job:
        parameters.append(inspect.Parameter("detach", keyword, default=False, annotation=bool))
        parameters += [
            inspect.Parameter(
                *(option.name, keyword),
                default=option.default,
                annotation=JobOptions.model_fields[option.name].annotation,
            )
            for option in OPTIONS.values()
        ]
    parameters.sort(key=lambda parameter: parameter.default is not inspect.Parameter.empty)
    return inspect.Signature(parameters, return_annotation=action.result_type())


def _document(action: type[Action]) -> str:
    lines = [inspect.cleandoc(action.__doc__ or ""), "", "Args:"]
    lines += [f"    {field.name}: {field.help}" for field in action.fields()]
    if action.is_job:
        lines.append("    detach: work in a process of its own, and return a Job at once.")
        lines += [f"    {name}: {option.help}" for name, option in OPTIONS.items()]
    return "\n".join(lines)
