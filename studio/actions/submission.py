"""From an action to its result: here in this process, or as a job in a process of its own."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from checkpoints_index.errors import UnknownRunError
from checkpoints_index.storage.catalogue import list_runs
from studio.actions.action import Action, Result, words_of
from studio.actions.registry import find_action
from studio.runs.selection import NoCheckpointsError
from studio.workspace.claims import InUseError, claiming
from studio.workspace.errors import ReadOnlyWorkspaceError, StudioError, UnknownDatasetError
from studio.workspace.jobs import (
    ACTIVE,
    CANCELLED,
    INTERRUPTED,
    NO_TERMS,
    JobRow,
    Terms,
    find_job,
    insert_job,
    mark_refused,
    record_result,
    set_process,
)
from studio.workspace.own_process import module_command, module_environment
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.queue.requests import check_terms, queue_again, takes_up_later
from studio.workspace.queue.work import working_as_job
from studio.workspace.trust import require_trusted, trust

NOT_YET = (
    UnknownRunError,
    NoCheckpointsError,
    UnknownDatasetError,
    InUseError,
)  # These may be over when the job before has ended.


def perform(workspace: Workspace, action: Action) -> Result:
    """Check an action and carry it out in this process; where it is a job, it is recorded as one.

    In a workspace that cannot be written to, nothing is recorded, and what is kept elsewhere is
    done all the same.

    Raises:
        ReadOnlyWorkspaceError: it is kept in the workspace, which cannot be written to.
        StudioError: or an error of the libraries; its text says what to do instead.
    """
    if not workspace.is_writable and not action.writes_elsewhere():
        raise ReadOnlyWorkspaceError(workspace.root)
    _finish_removals(workspace)
    with _claiming(workspace, action):
        action.check(workspace)
        vouch(workspace, action)
        if not action.is_job or not action.leads() or not workspace.is_writable:
            return action.perform(workspace, Reporter(workspace))
        return _work(workspace, action, _insert(workspace, action))


def _finish_removals(workspace: Workspace) -> None:
    """Finish what a killed process began to delete or to rename; the folder is empty but then."""
    if not workspace.is_writable:
        return
    if workspace.trash.is_dir() and any(workspace.trash.iterdir()):
        from studio.upkeep.unfinished import finish_removals

        finish_removals(workspace)


def submit(workspace: Workspace, action: Action, terms: Terms = NO_TERMS) -> JobRow:
    """Check an action and start it as a job, in a process of its own with a log of its own.

    What follows another job may need what that one makes, and is checked again when it begins.

    Args:
        terms: when it may begin; its devices are those that the action needs.

    Raises:
        ReadOnlyWorkspaceError: the workspace cannot be written to, so that no job is recorded.
        StudioError: or an error of the libraries, as the action would in this process.
    """
    if not workspace.is_writable:
        raise ReadOnlyWorkspaceError(workspace.root)
    check_terms(workspace, terms)
    try:
        with _claiming(workspace, action):  # Its process takes the claims anew.
            action.check(workspace)
            vouch(workspace, action)
    except NOT_YET:
        if not takes_up_later(workspace, terms):
            raise
    job_id = _insert(workspace, action, replace(terms, needs=action.needs()))
    return start_process(workspace, job_id)


def start_process(workspace: Workspace, job_id: int) -> JobRow:
    """Give a queued job its process; the log goes on where it was.

    Raises:
        StudioError: there can be no further process.
    """
    workspace.logs.mkdir(exist_ok=True)
    try:
        process = _start(workspace, job_id)
    except (OSError, ValueError) as error:
        reason = f"Its process could not be started: {error}."
        mark_refused(workspace, job_id, reason)
        raise StudioError(f"Job {job_id} failed. {reason}") from error
    set_process(workspace, job_id, process.pid)
    _reap_later(process)
    return find_job(workspace, job_id)


def go_on(workspace: Workspace, job: JobRow, at_once: bool = False) -> JobRow:
    """Let a job that was paused or interrupted go on where it was, in its place.

    Raises:
        StudioError: it is neither, or an earlier version of the studio recorded it.
    """
    action_of(job)
    queue_again(workspace, job, at_once)
    return start_process(workspace, job.id)


def vouch(workspace: Workspace, action: Action) -> None:
    """Trust what an action itself names, whose words are the owner's; refuse what a file names.

    Raises:
        StudioError: a file names a command or an address that the owner has not named.
        CheckpointError: as `StudioError`, for a class.
    """
    for named in action.brings(workspace) if action.leads() else ():
        if named.is_risky and not named.source:
            trust(workspace, named.risk, named.value)
        else:
            require_trusted(workspace, named)


def _start(workspace: Workspace, job_id: int) -> subprocess.Popen[bytes]:
    with workspace.log(job_id).open("ab") as log:
        return subprocess.Popen(
            job_command(workspace, job_id),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **module_environment(), "PYTHONUNBUFFERED": "1"},
        )


def job_command(workspace: Workspace, job_id: int) -> list[str]:
    """The command of a job's process."""
    return [*module_command("studio.actions.job_process"), str(workspace.root), str(job_id)]


def perform_job(workspace: Workspace, job_id: int, devices: Sequence[str] = ()) -> Result:
    """Carry out the action of a job in this process, which is the job's.

    Args:
        devices: those that it holds.

    Raises:
        StudioError: as `perform`; or the job was cancelled before it began.
    """
    job = find_job(workspace, job_id)
    action = resumed_action(workspace, job)
    if not action.leads():
        return action.perform(workspace, Reporter(workspace))
    with _claiming(workspace, action):
        if job.follows is not None or job.not_before is not None:
            action.check(workspace)  # Much may have changed since it was asked for.
        for named in action.brings(workspace):
            require_trusted(workspace, named)
        return _work(workspace, action, job_id, devices, INTERRUPTED)


def retry(workspace: Workspace, job: JobRow) -> JobRow:
    """Start a job's action again as a new job; it goes on where it was.

    Training that was refused before it began is begun again: a run of that name, if there is one,
    is another's.

    Raises:
        StudioError: it is still at work, or an earlier version of the studio recorded it.
    """
    if job.status in ACTIVE:
        raise StudioError(f"Job {job.id} is still {job.status}.")
    return submit(workspace, resumed_action(workspace, job))


def resumed_action(workspace: Workspace, job: JobRow) -> Action:
    """What goes on where a job was; what never began, or lost its run meanwhile, begins again.

    Raises:
        StudioError: as `action_of`.
    """
    action = action_of(job)
    begun = job.started_at is not None and job.run is not None
    made = not action.makes_run or action.about_run in list_runs(workspace.runs)
    return action.resumed() if begun and made else action


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


def _insert(workspace: Workspace, action: Action, terms: Terms = NO_TERMS) -> int:
    fields = action.model_dump(mode="json")
    return insert_job(workspace, action.command, fields, words_of(action), action.about_run, terms)


def _work(
    workspace: Workspace,
    action: Action,
    job_id: int,
    devices: Sequence[str] = (),
    stopped: str = CANCELLED,
) -> Result:
    with working_as_job(workspace, job_id, stopped) as work:
        result = action.perform(workspace, Reporter(workspace, job_id, devices))
        record_result(workspace, job_id, result.model_dump(mode="json"))
        work.is_whole = result.is_whole
    return result


def _reap_later(process: subprocess.Popen[bytes]) -> None:
    """Collect the exit status when it comes, so that no zombie stays while the app runs."""
    threading.Thread(target=process.wait, daemon=True).start()
