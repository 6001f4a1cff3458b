"""Jobs as a list with their progress and logs, and buttons to cancel or repeat one."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr
from markupsafe import Markup, escape

from studio.actions.job_actions import JobsCancel, JobsRetry
from studio.runs.status import AT_WORK, RunSummary, read_config
from studio.screens.parts import markup
from studio.screens.parts.app_context import AppContext
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, JobRow, training_job
from studio.workspace.paths import Workspace
from studio.workspace.queue.turns import find_obstacle
from studio.workspace.records.quantities import format_duration

LOG_BYTES = 8_000  # Bytes at the end of a log that are shown.


def show_jobs(
    workspace: Workspace, jobs: Sequence[JobRow], open_log: int | None = None, foldable: bool = True
) -> Markup:
    """Jobs one below the other.

    Args:
        open_log: the number of the job whose log is shown.
        foldable: whether logs can be opened and closed.
    """
    if not jobs:
        return Markup('<p class="quiet small">No jobs yet.</p>')
    return markup.join(_show_job(workspace, job, job.id == open_log, foldable) for job in jobs)


def press_job(app: AppContext, event: gr.EventData, open_log: int | None) -> int | None:
    """Do what was pressed in a list of jobs.

    Returns:
        The number of the job whose log is open then, if there is one.

    Raises:
        StudioError: the job has ended already, still works, or may not be asked for from a page.
    """
    if event.action == "log":
        number = int(event.job)
        return None if number == open_log else number
    if event.action == "cancel":
        app.perform(JobsCancel.read({"job": event.job}))
    elif event.action == "retry":
        app.perform(JobsRetry.read({"job": event.job}))
    return open_log


def announce_submitted(workspace: Workspace, job: JobRow, begun: str) -> None:
    """Say on the page what has become of a job that was asked for; see `tell_submitted`."""
    gr.Info(escape(tell_submitted(workspace, job, begun)))


def tell_submitted(workspace: Workspace, job: JobRow, begun: str) -> str:
    """What a person is told who has just asked for a job.

    Args:
        begun: the sentence where it begins at once.
    """
    waits = find_obstacle(workspace, job)
    return begun if waits is None else f"Job {job.id} is queued. {waits} See the tab Jobs."


def progress_text(job: JobRow) -> str:
    """How far a job is, such as `120 of 400, 3 min left`; empty while nobody knows."""
    if not job.total:
        return ""
    left = f", {format_duration(job.left_s)} left" if job.left_s is not None else ""
    return f"{job.done:,} of {job.total:,}{left}"


def run_progress(workspace: Workspace, run: RunSummary) -> tuple[JobRow | None, int, int]:
    """The job that trains a run or trained it last, the batch that it has reached, and its last.

    A run that was not trained here, or whose settings are damaged, is where it was to be.
    """
    job, done = training_job(workspace, run.name), run.last_batch or 0
    if job is not None and run.status in AT_WORK and job.total:
        return job, done, job.total
    if run.status == "imported":
        return job, done, done
    try:
        return job, done, read_config(workspace, run.name).batches
    except StudioError:  # Its run.toml is damaged, and its status says so.
        return job, done, done


def read_log(workspace: Workspace, job_id: int) -> str:
    """The end of what a job has written to its log."""
    path = workspace.log(job_id)
    if not path.exists():
        return "This job was run in a terminal; what it said is there."
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - LOG_BYTES))
        text = file.read().decode("utf-8", "replace").strip()
    return text or "Nothing said yet."


def _show_job(workspace: Workspace, job: JobRow, with_log: bool, foldable: bool) -> Markup:
    active = job.status in ACTIVE
    log = Markup("<pre>{}</pre>").format(read_log(workspace, job.id)) if with_log else ""
    return Markup(
        '<div class="job"><div class="line">{badge}<span class="small quiet number">{when}</span>'
        '<span class="push"></span>{buttons}</div><code class="small quiet">{command}</code>'
        "{note}{bar}{log}</div>"
    ).format(
        badge=markup.badge(job.status),
        when=_when(job),
        buttons=_buttons(job, foldable),
        command=job.text,
        note=markup.note(job.note, "") if job.status == "failed" and job.note else "",
        bar=markup.progress_bar(job.done, job.total) if active else "",
        log=log,
    )


def _when(job: JobRow) -> str:
    """The number of a job, when it was submitted, and how far it is."""
    progress = progress_text(job) if job.status in ACTIVE else ""
    return " · ".join(filter(None, [str(job.id), markup.moment(job.created_at), progress]))


def _buttons(job: JobRow, foldable: bool) -> Markup:
    buttons = []
    if job.status in ACTIVE:
        buttons.append(markup.button("Cancel", "cancel", job=job.id))
    elif job.status in ("failed", "cancelled", "interrupted"):
        buttons.append(markup.button("Run again", "retry", job=job.id))
    if foldable:
        buttons.append(markup.button("Log", "log", quiet=True, job=job.id))
    return markup.join(buttons)
