"""From an action to its result: here in this process, or as a job in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import AbstractContextManager

from studio.actions.action import Action, Result, words_of
from studio.actions.registry import find_action
from studio.workspace.claims import claiming
from studio.workspace.errors import StudioError
from studio.workspace.jobs import (
    ACTIVE,
    JobRow,
    find_job,
    insert_job,
    mark_failed,
    record_result,
    set_process,
    working_as_job,
)
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter


def perform(workspace: Workspace, action: Action) -> Result:
    """Check an action and carry it out in this process; where it is a job, it is recorded as one.

    Raises:
        StudioError: or an error of the libraries; its text says what to do instead.
    """
    _finish_removals(workspace)
    with _claiming(workspace, action):
        action.check(workspace)
        if not action.is_job or not action.leads():
            return action.perform(workspace, Reporter(workspace))
        return _work(workspace, action, _insert(workspace, action))


def _finish_removals(workspace: Workspace) -> None:
    """Finish what a killed process began to delete or to rename; the folder is empty but then."""
    if workspace.trash.is_dir() and any(workspace.trash.iterdir()):
        from studio.upkeep.removal import finish_removals

        finish_removals(workspace)


def submit(workspace: Workspace, action: Action) -> JobRow:
    """Check an action and start it as a job, in a process of its own with a log of its own.

    Raises:
        StudioError: or an error of the libraries, as the action would in this process.
    """
    with _claiming(workspace, action):  # Its process takes the claims anew.
        action.check(workspace)
    job_id = _insert(workspace, action)
    workspace.logs.mkdir(exist_ok=True)
    try:
        process = _start(workspace, job_id)
    except (OSError, ValueError) as error:
        reason = f"Its process could not be started: {error}."
        mark_failed(workspace, job_id, reason)
        raise StudioError(f"Job {job_id} failed. {reason}") from error
    set_process(workspace, job_id, process.pid)
    _reap_later(process)
    return find_job(workspace, job_id)


def _start(workspace: Workspace, job_id: int) -> subprocess.Popen[bytes]:
    with workspace.log(job_id).open("wb") as log:
        return subprocess.Popen(
            job_command(workspace, job_id),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )


def job_command(workspace: Workspace, job_id: int) -> list[str]:
    """The command of a job's process."""
    return [
        *(sys.executable, "-m", "studio.actions.job_process"),
        *(str(workspace.root), str(job_id)),
    ]


def perform_job(workspace: Workspace, job_id: int) -> Result:
    """Carry out the action of a job in this process, which is the job's.

    Raises:
        StudioError: as `perform`; or the job was cancelled before it began.
    """
    action = action_of(find_job(workspace, job_id))
    if not action.leads():
        return action.perform(workspace, Reporter(workspace))
    with _claiming(workspace, action):
        return _work(workspace, action, job_id)


def retry(workspace: Workspace, job: JobRow) -> JobRow:
    """Start a job's action again as a new job; it goes on where it was.

    Training that was refused before it began is begun again: a run of that name, if there is one,
    is another's.

    Raises:
        StudioError: it is still at work, or an earlier version of the studio recorded it.
    """
    if job.status in ACTIVE:
        raise StudioError(f"Job {job.id} is still {job.status}.")
    action = action_of(job)
    return submit(workspace, action.resumed() if job.started_at is not None else action)


def action_of(job: JobRow) -> Action:
    """The action of a job.

    Raises:
        StudioError: the action is not known here, or an earlier version of the studio recorded
            the job by its words alone.
    """
    if job.fields is None:
        raise StudioError(
            f"Job {job.id} was recorded by an earlier version of the studio. Give its command "
            f"again: {job.text}"
        )
    return find_action(job.action).read(job.fields)


def _claiming(workspace: Workspace, action: Action) -> AbstractContextManager[None]:
    """Hold what an action claims; of several processes that work together, the first does."""
    claims = action.claims() if action.leads() else []
    return claiming(workspace, claims, f"studio {action.command}")


def _insert(workspace: Workspace, action: Action) -> int:
    fields = action.model_dump(mode="json")
    return insert_job(workspace, action.command, fields, words_of(action), action.about_run)


def _work(workspace: Workspace, action: Action, job_id: int) -> Result:
    with working_as_job(workspace, job_id):
        result = action.perform(workspace, Reporter(workspace, job_id))
        record_result(workspace, job_id, result.model_dump(mode="json"))
    return result


def _reap_later(process: subprocess.Popen[bytes]) -> None:
    """Collect the exit status when it comes, so that no zombie stays while the app runs."""
    threading.Thread(target=process.wait, daemon=True).start()
