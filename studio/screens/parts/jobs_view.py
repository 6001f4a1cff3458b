"""Jobs as a list with progress, and what can be done to one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from studio.screens.parts.markup import badge, bar, button, duration, moment
from studio.workspace.jobs import ACTIVE, Job, cancel_job, find_job, retry_job
from studio.workspace.paths import Workspace

LOG_BYTES = 8_000


def show_jobs(
    workspace: Workspace, jobs: Sequence[Job], open_log: int | None = None, foldable: bool = True
) -> str:
    """The jobs, one below the other, with the log of one of them open, to be folded or not."""
    if not jobs:
        return '<p class="quiet small">No jobs yet.</p>'
    return "".join(_show_job(workspace, job, job.id == open_log, foldable) for job in jobs)


def press_job(workspace: Workspace, event: gr.EventData, open_log: int | None) -> int | None:
    """Do what was pressed in a list of jobs; returns the job whose log is open then.

    Raises:
        StudioError: the job has ended already, or still works.
    """
    if event.action == "log":
        number = int(event.job)
        return None if number == open_log else number
    job = find_job(workspace, int(event.job))
    if event.action == "cancel":
        cancel_job(workspace, job)
    elif event.action == "retry":
        retry_job(workspace, job)
    return open_log


def progress_text(job: Job) -> str:
    """How far a job is: 120 of 400, 3 min left."""
    if not job.total:
        return ""
    left = f", {duration(job.left_s)} left" if job.left_s is not None else ""
    return f"{job.done:,} of {job.total:,}{left}"


def read_log(workspace: Workspace, job_id: int) -> str:
    """The end of what a job has said."""
    path = workspace.log(job_id)
    if not path.exists():
        return "This job was run in a terminal; what it said is there."
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - LOG_BYTES))
        text = file.read().decode("utf-8", "replace").strip()
    return text or "Nothing said yet."


def _show_job(workspace: Workspace, job: Job, with_log: bool, foldable: bool) -> str:
    active = job.status in ACTIVE
    note = job.note if job.status == "failed" else ""
    press = button("Cancel", "cancel", job=job.id) if active else ""
    if job.status in ("failed", "cancelled", "interrupted"):
        press = button("Run again", "retry", job=job.id)
    when = f"{job.id} · {moment(job.created_at)}"
    when += f" · {progress_text(job)}" if active and job.total else ""
    fold = button("Log", "log", quiet=True, job=job.id) if foldable else ""
    log = f"<pre>{escape(read_log(workspace, job.id))}</pre>" if with_log else ""
    return (
        f'<div class="job"><div class="line">{badge(job.status)}'
        f'<span class="small quiet number">{escape(when)}</span><span class="push"></span>{press}'
        f"{fold}</div>"
        f'<code class="small quiet">{escape(job.text)}</code>'
        f"{f'<div class=small>{escape(note)}</div>' if note else ''}"
        f"{bar(job.done, job.total) if active else ''}{log}</div>"
    )
