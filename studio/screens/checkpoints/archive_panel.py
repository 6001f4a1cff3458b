"""A panel of the tab Checkpoints: a chosen few of them as a file, or as a run of their own."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.actions.declared.archive_actions import Archive
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.form import Form
from studio.workspace.errors import StudioError


class ArchivePanel:
    """Asks which checkpoints, and whether they become a file or a run."""

    def __init__(self, app: AppContext, tab: gr.Tab) -> None:
        self._app, self._form = app, Form(Archive)
        with gr.Tab("Archive"):
            with gr.Row():
                self._form.field("batches", info="100,200 or 0:1000:100; else those pinned.")
                self._form.field("as_run", "As a run called", info="Empty: as a file.")
            archive = gr.Button("Archive them", size="md", elem_id="archive")
            command = markup.pressable()
        inputs = self._form.inputs
        app.keep_form("archive", inputs)
        app.keep_current(tab, self._show_command, inputs, [command])
        gr.on(
            [field.change for field in inputs],
            self._show_command,
            [app.run, *inputs],
            command,
            **EVENT_DEFAULTS,
        )
        archive.click(show_errors(self._archive), [app.run, *inputs], None, **EVENT_DEFAULTS)

    def _show_command(self, run: str | None, *written: Any) -> Markup:
        return self._form.preview(*written, run=run or "RUN")

    def _archive(self, run: str | None, *written: Any) -> None:
        if run is None:
            raise StudioError("There is no run to archive. Train one first, or import one.")
        self._app.submit(self._form.read(*written, run=run))
        gr.Info("Archiving: a file can be downloaded beside it as soon as it is whole.")
