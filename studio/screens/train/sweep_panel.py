"""A panel of the tab Train: what is written, trained with several values of some settings."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.actions.sweeps.sweep_actions import Sweep
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.train.training_form import TrainForm
from studio.workspace.errors import StudioError


class SweepPanel:
    """Asks which settings vary; everything else is as the form says."""

    def __init__(self, app: AppContext, form: TrainForm) -> None:
        self._app, self._form = app, form
        with gr.Accordion("Several settings, one after the other", open=False, elem_id="sweep"):
            vary = gr.Textbox(
                label="Settings that vary",
                placeholder="loss=hinge,relativistic, one setting a line",
                lines=2,
            )
            begin = gr.Button("Queue the runs", size="sm", elem_id="begin-sweep")
        begin.click(show_errors(self._begin), [vary, *form.inputs], None, **EVENT_DEFAULTS)

    def _begin(self, vary: str, *values: Any) -> None:
        """Refuse at once what one of the trainings would refuse, then queue them."""
        fields = self._form.as_written(*values)
        if "run" not in fields:
            raise StudioError("The runs need a name. Write one above, such as loss.")
        written = self._form.read(*values).given()
        lines = [line.strip() for line in vary.splitlines() if line.strip()]
        result = self._app.perform(Sweep.read({**written, "vary": lines}))
        count = len(getattr(result, "runs", ()))
        gr.Info(f"{count} runs wait for each other. See the tab Jobs; compare them in Compare.")
