"""Whatever takes longer than a click: a row in the database and a process of its own.

A job is a `studio` command. It outlives the browser and the web server, writes a log, reports its
progress into its row, and can be cancelled. One whose process is gone without a word is shown as
interrupted, and can be run again: commands go on where they were.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from studio.workspace.database import open_database
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.paths import Workspace

VARIABLE = "STUDIO_JOB"
ACTIVE = ("queued", "running")
MAKERS = ("train", "import")  # commands that make a run
START_SECONDS = 60.0  # after which a queued job without a process counts as interrupted


@dataclass(frozen=True)
class Job:
    """One row: `status` is queued, running, done, failed, cancelled or interrupted."""

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
    first_done: int = 0  # of `done`, before this sitting

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


def submit_job(workspace: Workspace, command: Sequence[str], run: str | None = None) -> Job:
    """Start a `studio` command in a process of its own, with a log of its own."""
    job_id = _insert(workspace, command, run)
    with workspace.log(job_id).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "studio", "--workspace", str(workspace.root), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, VARIABLE: str(job_id), "PYTHONUNBUFFERED": "1"},
        )
    _update(workspace, job_id, pid=process.pid, pid_created_at=_created_at(process.pid))
    _reap_later(process)
    return find_job(workspace, job_id)


@contextmanager
def working_as_job(
    workspace: Workspace, command: Sequence[str], run: str | None = None
) -> Iterator[int]:
    """Make this process a job, the one it was started for or a new one, and record how it ends."""
    given = os.environ.pop(VARIABLE, None)
    job_id = int(given) if given else _insert(workspace, command, run)
    pid = os.getpid()
    started = {"status": "running", "pid": pid, "pid_created_at": _created_at(pid), "run": run}
    _update(workspace, job_id, **started, started_at=time.time())
    try:
        yield job_id
    except EXPECTED_ERRORS as error:
        _update(workspace, job_id, status="failed", note=str(error), finished_at=time.time())
        raise
    except BaseException as error:
        cancelled = isinstance(error, KeyboardInterrupt | SystemExit)
        status = "cancelled" if cancelled else "failed"
        note = "" if cancelled else f"{type(error).__name__}: {error}"
        _update(workspace, job_id, status=status, note=note, finished_at=time.time())
        raise
    _update(workspace, job_id, status="done", finished_at=time.time())


def report_progress(
    workspace: Workspace, job_id: int, done: int, total: int, note: str, first_done: int = 0
) -> None:
    """Write down how far a job has come; `first_done` of it was done before it began."""
    _update(workspace, job_id, done=done, total=total, note=note, first_done=first_done)


def list_jobs(workspace: Workspace, newest: int = 50) -> list[Job]:
    """The newest jobs, newest first; those whose process is gone are marked interrupted."""
    with open_database(workspace.database) as db:
        rows = db.execute("SELECT * FROM jobs ORDER BY id DESC LIMIT ?", (newest,)).fetchall()
    return [_settle(workspace, _from_row(row)) for row in rows]


def find_job(workspace: Workspace, job_id: int) -> Job:
    """A job by number; StudioError where there is none."""
    with open_database(workspace.database) as db:
        row = db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise StudioError(f"There is no job {job_id}. List them: studio jobs list")
    return _settle(workspace, _from_row(row))


def training_job(workspace: Workspace, run: str) -> Job | None:
    """The newest job that trains, or trained, a run."""
    return newest_job(workspace, "train", "resume", run=run)


def newest_job(workspace: Workspace, *commands: str, run: str | None = None) -> Job | None:
    """The newest job of some commands, for one run or for any."""
    marks = ", ".join("?" for _ in commands)
    with open_database(workspace.database) as db:
        row = db.execute(
            f"SELECT * FROM jobs WHERE json_extract(command, '$[0]') IN ({marks}) "
            "AND (? IS NULL OR run = ?) ORDER BY id DESC LIMIT 1",
            (*commands, run, run),
        ).fetchone()
    return _settle(workspace, _from_row(row)) if row else None


def cancel_job(workspace: Workspace, job: Job) -> None:
    """Ask a job to end. Training saves its state first; a render keeps its finished parts."""
    if job.status not in ACTIVE:
        raise StudioError(f"Job {job.id} is {job.status} already; there is nothing to cancel.")
    if job.status == "queued":  # its process has not come to the point where it would say so
        _update(workspace, job.id, status="cancelled", finished_at=time.time())
    if job.pid is not None:
        os.kill(job.pid, signal.SIGTERM)


def retry_job(workspace: Workspace, job: Job) -> Job:
    """Run a job again; it goes on where it was.

    Training that was refused before it began is begun again: a run of that name, if there is one,
    is another's.
    """
    if job.status in ACTIVE:
        raise StudioError(f"Job {job.id} is still {job.status}.")
    command = job.command
    if command[0] == "train" and job.run is not None and job.started_at is not None:
        command = ["resume", job.run]
    return submit_job(workspace, command, job.run)


def _settle(workspace: Workspace, job: Job) -> Job:
    """Mark a job whose process is gone without having said how it ended.

    One that ended before it began was refused, for the reason that it printed last.
    """
    if job.status not in ACTIVE or _is_alive(job):
        return job
    status, note = "interrupted", job.note
    if job.status == "queued" and job.pid is not None:
        status, note = "failed", _last_words(workspace, job.id)
    with open_database(workspace.database) as db:
        db.execute(  # unless it said so just now
            "UPDATE jobs SET status = ?, note = ?, finished_at = ? WHERE id = ? AND status = ?",
            (status, note, time.time(), job.id, job.status),
        )
        row = db.execute("SELECT * FROM jobs WHERE id = ?", (job.id,)).fetchone()
    return _from_row(row)


def _is_alive(job: Job) -> bool:
    if job.pid is None:
        return time.time() - job.created_at < START_SECONDS
    try:
        process = psutil.Process(job.pid)
        same = abs(process.create_time() - (job.pid_created_at or 0)) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _created_at(pid: int) -> float:
    """Tells a process from a later one of the same number; seconds since 1970."""
    return psutil.Process(pid).create_time()


def _last_words(workspace: Workspace, job_id: int) -> str:
    path = workspace.log(job_id)
    lines = path.read_text("utf-8", "replace").split("\n") if path.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "It said nothing.")


def _insert(workspace: Workspace, command: Sequence[str], run: str | None) -> int:
    with open_database(workspace.database) as db:
        cursor = db.execute(
            "INSERT INTO jobs (command, run, status, created_at) VALUES (?, ?, 'queued', ?)",
            (json.dumps(list(command)), run, time.time()),
        )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _update(workspace: Workspace, job_id: int, **values: Any) -> None:
    assignments = ", ".join(f"{name} = ?" for name in values)
    with open_database(workspace.database) as db:
        db.execute(f"UPDATE jobs SET {assignments} WHERE id = ?", (*values.values(), job_id))


def _from_row(row: Any) -> Job:
    return Job(**{**dict(row), "command": json.loads(row["command"])})


def _reap_later(process: subprocess.Popen[bytes]) -> None:
    """Collect the exit status when it comes, so that no zombie stays while the app runs."""
    threading.Thread(target=process.wait, daemon=True).start()
