"""The rows of jobs: what was asked for, which process works on it, how far it is, how it ended.

A job is an action at work, or waiting for it, in a process of its own. It outlives the browser and
the web server, writes a log, reports its progress into its row, and can be cancelled. One whose
process is gone without a word is shown as interrupted, and can be run again: actions go on where
they were.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from studio.workspace.advice import explain
from studio.workspace.database import open_database
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.paths import Workspace

ACTIVE = ("queued", "running")
REFUSED_AT_ONCE = 20  # So many jobs of a run are looked at for the one that trains it.
START_SECONDS = 60.0  # A queued job that has no process after this time counts as interrupted.


@dataclass(frozen=True)
class JobRow:
    """One job as the database has it.

    Attributes:
        command: the words that one would type for it.
        status: queued, running, done, failed, cancelled or interrupted.
        pid_created_at: tells its process from a later one of the same number; seconds since 1970.
        done, total: its progress in units of its own.
        note: what it works on, or why it failed.
        first_done: what of `done` was done before it began.
        action, fields: the name of its action, and the action's fields as JSON; jobs of earlier
            versions of the studio have no fields.
        result: what it gave back, as JSON.
    """

    id: int
    command: list[str]
    run: str | None
    status: str
    pid: int | None
    pid_created_at: float | None
    done: int
    total: int
    note: str
    created_at: float
    started_at: float | None
    finished_at: float | None
    first_done: int = 0
    action: str = ""
    fields: dict[str, Any] | None = None
    result: Any = None

    @property
    def text(self) -> str:
        """The command as one would type it."""
        return shlex.join(["studio", *self.command])

    @property
    def left_s(self) -> float | None:
        """Seconds left at the pace so far; None while nothing is known."""
        done = self.done - self.first_done
        if self.status != "running" or not self.started_at or done <= 0 or self.done > self.total:
            return None
        return (time.time() - self.started_at) / done * (self.total - self.done)


def insert_job(
    workspace: Workspace,
    action: str,
    fields: dict[str, Any],
    command: Sequence[str],
    run: str | None = None,
) -> int:
    """Write down a queued job.

    Args:
        action, fields: its name, and its values as JSON.
        command: the words that one would type for it.
        run: the run that it is about.

    Returns:
        Its number.
    """
    with open_database(workspace.database) as db:
        cursor = db.execute(
            "INSERT INTO jobs (action, fields, command, run, status, created_at) "
            "VALUES (?, ?, ?, ?, 'queued', ?)",
            (action, json.dumps(fields), json.dumps(list(command)), run, time.time()),
        )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def set_process(workspace: Workspace, job_id: int, pid: int) -> None:
    """Write down which process a job is."""
    _update(workspace, job_id, pid=pid, pid_created_at=_created_at(pid))


@contextmanager
def working_as_job(workspace: Workspace, job_id: int) -> Iterator[None]:
    """Let this process be a job, and record how it ends.

    Raises:
        StudioError: the job was cancelled before it began.
    """
    pid = os.getpid()
    started = {"pid": pid, "pid_created_at": _created_at(pid), "started_at": time.time()}
    with open_database(workspace.database) as db:
        begun = db.execute(
            "UPDATE jobs SET status = 'running', pid = :pid, pid_created_at = :pid_created_at, "
            "started_at = :started_at WHERE id = :id AND status != 'cancelled'",
            {**started, "id": job_id},
        )
    if not begun.rowcount:
        raise StudioError(f"Job {job_id} was cancelled before it began.")
    try:
        yield
    except BaseException as error:
        cancelled = isinstance(error, KeyboardInterrupt | SystemExit)
        expected = isinstance(error, EXPECTED_ERRORS)
        said = explain(error) if expected else f"{type(error).__name__}: {error}"
        _update(
            workspace,
            job_id,
            status="cancelled" if cancelled else "failed",
            note="" if cancelled else said,
            finished_at=time.time(),
        )
        raise
    _update(workspace, job_id, status="done", finished_at=time.time())


def mark_failed(workspace: Workspace, job_id: int, reason: str) -> None:
    """Write down that a job ended before it began."""
    _update(workspace, job_id, status="failed", note=reason, finished_at=time.time())


def report_progress(
    workspace: Workspace, job_id: int, done: int, total: int, note: str, first_done: int = 0
) -> None:
    """Write down how far a job has come; `first_done` of it was done before it began."""
    _update(workspace, job_id, done=done, total=total, note=note, first_done=first_done)


def record_result(workspace: Workspace, job_id: int, result: Any) -> None:
    """Write down what a job gave back, as JSON."""
    _update(workspace, job_id, result=json.dumps(result))


def list_jobs(workspace: Workspace, newest: int = 50) -> list[JobRow]:
    """The newest jobs, newest first; those whose process is gone are marked interrupted."""
    with open_database(workspace.database) as db:
        rows = db.execute("SELECT * FROM jobs ORDER BY id DESC LIMIT ?", (newest,)).fetchall()
    return [_settle(workspace, _from_row(row)) for row in rows]


def find_job(workspace: Workspace, job_id: int) -> JobRow:
    """A job by its number.

    Raises:
        StudioError: there is none.
    """
    with open_database(workspace.database) as db:
        row = db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise StudioError(f"There is no job {job_id}. List them: studio jobs list")
    return _settle(workspace, _from_row(row))


def working_jobs(workspace: Workspace) -> list[JobRow]:
    """The jobs that are at work."""
    with open_database(workspace.database) as db:
        rows = db.execute("SELECT * FROM jobs WHERE status = 'running'").fetchall()
    settled = [_settle(workspace, _from_row(row)) for row in rows]
    return [job for job in settled if job.status in ACTIVE]


def training_job(workspace: Workspace, run: str) -> JobRow | None:
    """The job that trains a run, else the newest that trained it.

    A job that was refused before it began says nothing about the run, unless there is no other.
    """
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT * FROM jobs WHERE action IN ('train', 'resume') AND run = ? "
            "ORDER BY status = 'running' DESC, status = 'queued' DESC, started_at IS NULL, id DESC",
            (run,),
        ).fetchall()
    jobs = [_settle(workspace, _from_row(row)) for row in rows[:REFUSED_AT_ONCE]]
    begun = [job for job in jobs if job.started_at is not None or job.status in ACTIVE]
    newest = sorted(begun or jobs, key=lambda job: (job.status not in ACTIVE, -job.id))
    return newest[0] if newest else None


def newest_job(workspace: Workspace, *actions: str, run: str | None = None) -> JobRow | None:
    """The newest job of some actions, for one run or for any."""
    marks = ", ".join("?" for _ in actions)
    with open_database(workspace.database) as db:
        row = db.execute(
            f"SELECT * FROM jobs WHERE action IN ({marks}) "
            "AND (? IS NULL OR run = ?) ORDER BY id DESC LIMIT 1",
            (*actions, run, run),
        ).fetchone()
    return _settle(workspace, _from_row(row)) if row else None


def cancel_job(workspace: Workspace, job: JobRow) -> None:
    """Ask a job to end. Training saves its state first; a render keeps its finished parts.

    Raises:
        StudioError: it has ended already.
    """
    if job.status not in ACTIVE:
        raise StudioError(f"Job {job.id} is {job.status} already; there is nothing to cancel.")
    if job.status == "queued":  # Its process has not come to the point where it would say so.
        _update(workspace, job.id, status="cancelled", finished_at=time.time())
    if job.pid is not None:
        os.kill(job.pid, signal.SIGTERM)


def _settle(workspace: Workspace, job: JobRow) -> JobRow:
    """Mark a job whose process is gone without having said how it ended.

    One that ended before it began was refused, for the reason that it printed last.
    """
    if job.status not in ACTIVE or _is_alive(job):
        return job
    status, note = "interrupted", job.note
    if job.status == "queued" and job.pid is not None:
        status, note = "failed", _last_words(workspace, job.id)
    with open_database(workspace.database) as db:
        db.execute(  # The job may have said how it ended since the row was read.
            "UPDATE jobs SET status = ?, note = ?, finished_at = ? WHERE id = ? AND status = ?",
            (status, note, time.time(), job.id, job.status),
        )
        row = db.execute("SELECT * FROM jobs WHERE id = ?", (job.id,)).fetchone()
    return _from_row(row)


def _is_alive(job: JobRow) -> bool:
    if job.pid is None:
        return time.time() - job.created_at < START_SECONDS
    try:
        process = psutil.Process(job.pid)
        same = abs(process.create_time() - (job.pid_created_at or 0)) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _created_at(pid: int) -> float:
    """When a process began, in seconds since 1970."""
    return psutil.Process(pid).create_time()


def _last_words(workspace: Workspace, job_id: int) -> str:
    path = workspace.log(job_id)
    lines = path.read_text("utf-8", "replace").split("\n") if path.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "It said nothing.")


def _update(workspace: Workspace, job_id: int, **values: Any) -> None:
    assignments = ", ".join(f"{name} = ?" for name in values)
    with open_database(workspace.database) as db:
        db.execute(f"UPDATE jobs SET {assignments} WHERE id = ?", (*values.values(), job_id))


def _from_row(row: Any) -> JobRow:
    values = dict(row)
    read = {name: _read_json(values[name]) for name in ("fields", "result")}
    words = _read_json(values["command"])
    command = [str(word) for word in words] if isinstance(words, list) else []
    return JobRow(**{**values, **read, "command": command})


def _read_json(text: str | None) -> Any:
    """What a text says; None where it is damaged, so that the other jobs can still be listed."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None
