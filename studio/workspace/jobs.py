"""The rows of jobs: what was asked for, which process works on it, how far it is, how it ended.

A job is an action at work, or waiting for it, in a process of its own. It outlives the browser and
the web server, writes a log, reports its progress into its row, and can be paused and cancelled.
One whose process is gone without a word is shown as interrupted, and can go on: actions take up
what they left. What a job waits for is decided in `studio.workspace.queue`.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.records.path_records import recall_paths, record_paths
from studio.workspace.row_seals import SEAL

ACTIVE = ("queued", "running")
PAUSED, CANCELLED, INTERRUPTED = "paused", "cancelled", "interrupted"
UNENDED = (*ACTIVE, PAUSED)
TRAINING, FILMS = "training", "films"  # The kinds of work that take turns on a device.
REFUSED_AT_ONCE = 20  # So many jobs of a run are looked at for the one that trains it.
START_SECONDS = 60.0  # A queued job that has no process after this time counts as interrupted.
ESTIMATE_SECONDS, ESTIMATE_SHARE = 5.0, 0.02  # The time left is told after either of them.


@dataclass(frozen=True)
class Needs:
    """The devices that a job waits for, one job of a kind on each.

    Attributes:
        kind: of work; jobs of another kind share the device.
        devices: those that it may take, such as `cuda:1` or `cpu`.
        count: how many of them.
        exclusive: it takes all on which nobody works, whatever the kind, and `count` at least.
    """

    kind: str
    devices: tuple[str, ...]
    count: int = 1
    exclusive: bool = False


@dataclass(frozen=True)
class Terms:
    """When a job may begin.

    Attributes:
        follows: the job that has to end before.
        follows_any: whether that one may also end badly.
        not_before: seconds since 1970.
        needs: the devices that it waits for; None where it waits for none.
    """

    follows: int | None = None
    follows_any: bool = False
    not_before: float | None = None
    needs: Needs | None = None


NO_TERMS = Terms()


@dataclass(frozen=True)
class JobRow:
    """One job as the database has it.

    Attributes:
        command: the words that one would type for it.
        status: queued, running, paused, done, failed, cancelled or interrupted.
        pid_created_at: tells its process from a later one of the same number; seconds since 1970.
        done, total: its progress in units of its own.
        note: what it works on, or why it failed.
        first_done: what of `done` was done before it began.
        first_done_at: when it told that, in seconds since 1970.
        action, fields: the name of its action, and the action's fields as JSON; jobs of earlier
            versions of the studio have no fields.
        result: what it gave back, as JSON.
        place: where it stands in the order, if somebody has moved it; its number otherwise.
        follows, follows_any, not_before, needs: see `Terms`.
        waits_for: a sentence on what it waits for; empty until its process has begun to wait.
        asked: `paused` or `cancelled` where it is to end as that; else empty.
        at_once: it waits for nothing.
        queued_at: when it was last handed to a process, in seconds since 1970.
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
    first_done_at: float | None = None
    action: str = ""
    fields: dict[str, Any] | None = None
    result: Any = None
    place: float | None = None
    follows: int | None = None
    follows_any: int = 0
    not_before: float | None = None
    needs: Needs | None = None
    waits_for: str = ""
    asked: str = ""
    at_once: int = 0
    queued_at: float | None = None

    @property
    def order(self) -> float:
        """Jobs that wait for the same devices begin by ascending order."""
        return float(self.id) if self.place is None else self.place

    @property
    def text(self) -> str:
        """The command as one would type it."""
        return shlex.join(["studio", *self.command])

    @property
    def left_s(self) -> float | None:
        """Seconds left at the pace so far; None while nothing is known."""
        done = self.done - self.first_done
        if self.status != "running" or self.first_done_at is None or self.done > self.total:
            return None
        return estimate_left(time.time() - self.first_done_at, done, self.total - self.done)


def estimate_left(passed_s: float, done: int, left: int) -> float | None:
    """Seconds that the rest takes at the pace so far; None while the pace is not known.

    The first pieces of work are slower than others: networks are compiled, files are opened.

    Example:
        >>> estimate_left(10.0, 100, 50), estimate_left(0.5, 1, 999)
        (5.0, None)
    """
    known = passed_s >= ESTIMATE_SECONDS or done >= ESTIMATE_SHARE * (done + left)
    return passed_s / done * left if done > 0 and known else None


def insert_job(
    workspace: Workspace,
    action: str,
    fields: dict[str, Any],
    command: Sequence[str],
    run: str | None = None,
    terms: Terms = NO_TERMS,
) -> int:
    """Write down a queued job.

    Args:
        action, fields: its name, and its values as JSON.
        command: the words that one would type for it.
        run: the run that it is about.
        terms: when it may begin.

    Returns:
        Its number.
    """
    now = time.time()
    needs = None if terms.needs is None else json.dumps(asdict(terms.needs))
    values = {
        **{
            "action": action,
            "fields": json.dumps(record_paths(workspace, fields)),
            "command": json.dumps(list(command)),
        },
        **{"run": run, "status": "queued", "created_at": now, "queued_at": now},
        **{"follows": terms.follows, "follows_any": int(terms.follows_any)},
        **{"not_before": terms.not_before, "needs": needs},
    }
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    with open_database(workspace.database) as db:
        cursor = db.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", tuple(values.values()))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def set_process(workspace: Workspace, job_id: int, pid: int) -> None:
    """Write down which process a job is; one that is over has said so itself by now."""
    try:
        began = process_began(pid)
    except psutil.NoSuchProcess:
        began = time.time()
    update_job(workspace, job_id, pid=pid, pid_created_at=began)


def mark_refused(workspace: Workspace, job_id: int, reason: str, status: str = "failed") -> None:
    """Write down that a job ended before it began; one that had begun says so itself.

    Args:
        status: its status then.
    """
    with open_database(workspace.database) as db:
        db.execute(
            "UPDATE jobs SET status = ?, note = ?, finished_at = ?, waits_for = '' "
            "WHERE id = ? AND status = 'queued'",
            (status, reason, time.time(), job_id),
        )


def report_progress(
    workspace: Workspace,
    job_id: int,
    done: int,
    total: int,
    note: str,
    first_done: int = 0,
    first_done_at: float | None = None,
) -> None:
    """Write down how far a job has come.

    Args:
        first_done: so much was done before it began.
        first_done_at: when that was told, in seconds since 1970.
    """
    began = {"first_done": first_done, "first_done_at": first_done_at}
    update_job(workspace, job_id, done=done, total=total, note=note, **began)


def record_result(workspace: Workspace, job_id: int, result: Any) -> None:
    """Write down what a job gave back, as JSON."""
    update_job(workspace, job_id, result=json.dumps(record_paths(workspace, result)))


def list_jobs(workspace: Workspace, newest: int = 50) -> list[JobRow]:
    """The newest jobs, newest first; those whose process is gone are marked interrupted."""
    with open_database(workspace.database) as db:
        rows = db.execute("SELECT * FROM jobs ORDER BY id DESC LIMIT ?", (newest,)).fetchall()
    return [_settle(workspace, _from_row(workspace, row)) for row in rows]


def find_job(workspace: Workspace, job_id: int) -> JobRow:
    """A job by its number.

    Raises:
        StudioError: there is none.
    """
    with open_database(workspace.database) as db:
        row = db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise StudioError(f"There is no job {job_id}. List them: studio jobs list")
    return _settle(workspace, _from_row(workspace, row))


def working_jobs(workspace: Workspace) -> list[JobRow]:
    """The jobs that are at work."""
    return jobs_that_are(workspace, "running")


def jobs_that_are(workspace: Workspace, *statuses: str) -> list[JobRow]:
    """All jobs of some statuses, in their order; what has just died is marked before."""
    marks = ", ".join("?" for _ in statuses)
    with open_database(workspace.database) as db:
        rows = db.execute(
            f"SELECT * FROM jobs WHERE status IN ({marks}) ORDER BY COALESCE(place, id), id",
            statuses,
        ).fetchall()
    settled = [_settle(workspace, _from_row(workspace, row)) for row in rows]
    return [job for job in settled if job.status in statuses]


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
    jobs = [_settle(workspace, _from_row(workspace, row)) for row in rows[:REFUSED_AT_ONCE]]
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
    return _settle(workspace, _from_row(workspace, row)) if row else None


def _settle(workspace: Workspace, job: JobRow) -> JobRow:
    """Mark a job whose process is gone without having said how it ended.

    One that was neither at work nor waiting was refused, for the reason that it printed last.
    """
    if job.status not in ACTIVE or is_alive(job):
        return job
    status, note = INTERRUPTED, job.note
    if job.status == "queued" and job.pid is not None and not job.waits_for:
        status, note = "failed", _last_words(workspace, job.id)
    with open_database(workspace.database) as db:
        db.execute(  # The job may have said how it ended since the row was read.
            "UPDATE jobs SET status = ?, note = ?, finished_at = ?, asked = '', waits_for = '' "
            "WHERE id = ? AND status = ? AND pid IS ?",
            (status, note, time.time(), job.id, job.status, job.pid),
        )
        row = db.execute("SELECT * FROM jobs WHERE id = ?", (job.id,)).fetchone()
    return _from_row(workspace, row)


def is_alive(job: JobRow) -> bool:
    """Whether the process of a job is there, or may still come."""
    if job.pid is None:
        return time.time() - (job.queued_at or job.created_at) < START_SECONDS
    try:
        process = psutil.Process(job.pid)
        same = abs(process.create_time() - (job.pid_created_at or 0)) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def process_began(pid: int) -> float:
    """When a process began, in seconds since 1970."""
    return psutil.Process(pid).create_time()


def _last_words(workspace: Workspace, job_id: int) -> str:
    path = workspace.log(job_id)
    lines = path.read_text("utf-8", "replace").split("\n") if path.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "It said nothing.")


def update_job(workspace: Workspace, job_id: int, **values: Any) -> None:
    """Write values into columns of a job's row."""
    assignments = ", ".join(f"{name} = ?" for name in values)
    with open_database(workspace.database) as db:
        db.execute(f"UPDATE jobs SET {assignments} WHERE id = ?", (*values.values(), job_id))


def _from_row(workspace: Workspace, row: Any) -> JobRow:
    values = dict(row)
    del values[SEAL]
    stored = {name: _read_json(values[name]) for name in ("fields", "result")}
    read = {name: recall_paths(workspace, value) for name, value in stored.items()}
    words = _read_json(values["command"])
    command = [str(word) for word in words] if isinstance(words, list) else []
    needs = _read_needs(_read_json(values["needs"]))
    return JobRow(**{**values, **read, "command": command, "needs": needs})


def _read_needs(value: Any) -> Needs | None:
    """The devices that a row says; None where it says none, or is damaged."""
    try:
        devices, exclusive = tuple(map(str, value["devices"])), bool(value.get("exclusive", False))
        return Needs(str(value["kind"]), devices, int(value["count"]), exclusive)
    except (AttributeError, TypeError, KeyError, ValueError):
        return None


def _read_json(text: str | None) -> Any:
    """What a text says; None where it is damaged, so that the other jobs can still be listed."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None
