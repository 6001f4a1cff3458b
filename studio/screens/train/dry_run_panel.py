"""A panel of the tab Train: what the training that is written would take, from a few real steps."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup
from pydantic import ValidationError

from studio.actions.declared.dry_runs.trial_actions import DryRunResult, Try, free_name
from studio.actions.job_actions import JobsCancel
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.train.training_form import TrainForm
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, JobRow, find_job

NO_PICTURES = "There are no pictures to train on. Add some below, under Add pictures."


class DryRunPanel:
    """Lays out the place for the result; the button that asks for it lies beside Start."""

    def __init__(self, app: AppContext, tab: gr.Tab, form: TrainForm, button: gr.Button) -> None:
        self._app, self._form = app, form
        place, job = markup.pressable(elem_id="dry-run"), gr.State(None)
        button.click(show_errors(self._begin), form.inputs, [place, job], **EVENT_DEFAULTS)
        app.keep_current(tab, self._look, [job], [place], clock=True)
        app.on_press(place, self._press, job, [place, job])

    def _begin(self, *values: Any) -> tuple[Markup, int]:
        """Refuse at once what the training would be refused for, then try it."""
        fields = self._form.as_written(*values)
        if "dataset" not in fields:
            raise StudioError(NO_PICTURES)
        # Where no name is written yet, one that is free stands for it.
        name = fields.get("run") or free_name(self._app.workspace)
        written = self._form.read(*values, run=name).given()
        job = self._app.submit(Try.read(written))
        return show_dry_run(job), job.id

    def _look(self, run: str | None, job: int | None) -> Any:
        return gr.skip() if job is None else show_dry_run(find_job(self._app.workspace, job))

    def _press(self, job: int | None, event: gr.EventData) -> tuple[Any, Any]:
        """Give it up while it works, or put its result away."""
        if event.action != "close" or job is None:
            return gr.skip(), gr.skip()
        if find_job(self._app.workspace, job).status in ACTIVE:
            self._app.perform(JobsCancel(job=job))
        return markup.NOTHING, None


def show_dry_run(job: JobRow) -> Markup:
    """A dry run as it stands: how far it is, what it found, or why it was refused.

    Args:
        job: that of the dry run.
    """
    if job.status in ACTIVE:
        body = markup.note("A few real steps; nothing of them is kept.")
        bar = markup.progress_bar(job.done, job.total) if job.total else markup.working_bar()
        return _card("Trying it …", "Stop", body + bar)
    if job.status != "done":
        return _card(
            "Not tried", "Close", markup.note(job.note or f"It is {job.status}.", "warning")
        )
    try:
        result = DryRunResult.model_validate(job.result)
    except ValidationError:
        return _card("Not tried", "Close", markup.note("Its result cannot be read.", "warning"))
    warned = markup.join(markup.note(remark, "warning") for remark in result.remarks())
    title = f"What it takes: {result.batches:,} batches of {result.dataset}"
    facts = markup.facts([(name, value) for value, name in result.facts()])
    steps = "1 real step" if result.steps == 1 else f"{result.steps} real steps"
    said = markup.note(f"By {steps} on {result.device}; no run was made.")
    return _card(title, "Close", warned + facts + said + _sheet(result))


def _sheet(result: DryRunResult) -> Markup:
    """What the networks saw."""
    if result.sheet is None or not result.sheet.is_file():
        return markup.NOTHING
    image = Markup(
        '<figure><img class="crisp" src="{}" alt="{}"><figcaption class="small quiet">{}'
        "</figcaption></figure>"
    )
    said = f"Pictures of {result.dataset}, as the networks see them"
    return image.format(markup.file_url(result.sheet), said, f"{said}.")


def _card(title: str, button: str, body: str) -> Markup:
    return Markup(
        '<section class="card" data-key="dry-run" aria-live="polite"><div class="line"><h3>{}</h3>'
        "{}</div>{}</section>"
    ).format(title, markup.button(button, "close", quiet=True), body)
