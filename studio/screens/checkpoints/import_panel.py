"""A panel of the tab Checkpoints: make a run of checkpoints that a person already has."""

from __future__ import annotations

from typing import Any

import gradio as gr

from checkpoints_index.storage.catalogue import list_runs
from studio.actions.declared.import_actions import Import
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.form import Form
from studio.workspace.errors import StudioError


class ImportPanel:
    """A form with a folder, a name, and what is not always recognised by itself."""

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._form = form = Form(Import)
        with gr.Tab("Import"):
            with gr.Row():
                form.field(
                    "folder",
                    "A folder of checkpoints",
                    placeholder="its path on the studio's machine",
                )
                form.field("run", "Name of the new run", elem_id="import-run")
            with gr.Row():
                form.field("generator", placeholder="recognised; else package.module:Class")
                form.field(
                    "pattern", "Which number is the batch", placeholder=r"found; else step_(\d+)"
                )
            start = gr.Button("Import the folder", size="md", elem_id="import")
            command = markup.pressable(form.preview(*[""] * len(form.inputs)))
        changes = [field.change for field in form.inputs]
        gr.on(changes, form.preview, form.inputs, command, **EVENT_DEFAULTS)
        start.click(show_errors(self._import), form.inputs, app.awaited, **EVENT_DEFAULTS)

    def _import(self, *written: Any) -> Any:
        """Refuse at once what can be seen from here, then hand it over."""
        if not {"folder", "run"} <= self._form.values(*written).keys():
            raise StudioError(
                "Write the path of a folder of checkpoints, and what to call the run."
            )
        action = self._form.read(*written)
        there = action.run in list_runs(self._app.workspace.runs)
        self._app.submit(action)
        gr.Info(f"Importing {action.run}: what is recognised and left out shows below.")
        return gr.skip() if there else action.run
