"""A panel of the tab Checkpoints: make a run of checkpoints that a person already has."""

from __future__ import annotations

from typing import Any

import gradio as gr
from PIL import Image

from checkpoints_index.storage.catalogue import list_runs
from studio.actions.declared.import_actions import Import, ImportResult
from studio.actions.submission import perform
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
                    placeholder="its path on the studio's machine, or hub:USER/NAME",
                )
                form.field("run", "Name of the new run", elem_id="import-run")
            with gr.Row():
                form.field("generator", placeholder="recognised; else package.module:Class")
                form.field("options", placeholder="NAME=VALUE")
                form.field("z_distribution")
                form.field(
                    "pattern", "Which number is the batch", placeholder=r"found; else step_(\d+)"
                )
            form.field(
                "replace", "Take the place of the run that has this name", elem_id="import-replace"
            )
            with gr.Row():
                look = gr.Button("See what it would be", size="md", elem_id="import-look")
                start = gr.Button("Import the folder", size="md", elem_id="import")
            command = markup.pressable(form.preview(*[""] * len(form.inputs)))
            seen = gr.Textbox(
                label="What it would be", visible=False, lines=8, elem_id="import-seen"
            )
            sheet = gr.Image(
                label="Candidates, each with its option", visible=False, elem_id="import-sheet"
            )
        app.keep_form("import", form.inputs)
        changes = [field.change for field in form.inputs]
        gr.on(changes, form.preview, form.inputs, command, **EVENT_DEFAULTS)
        look.click(show_errors(self._look), form.inputs, [seen, sheet], **EVENT_DEFAULTS)
        start.click(show_errors(self._import), form.inputs, app.awaited, **EVENT_DEFAULTS)

    def _look(self, *written: Any) -> tuple[Any, Any]:
        """What an import would be: its plan in words, and the sheet of candidates."""
        values = self._form.values(*written)
        if not {"folder", "run"} <= values.keys():
            raise StudioError("Write the path of a folder of checkpoints, and a name for the run.")
        action = self._app.permissions.check(self._form.read(*written, dry_run=True))
        result = perform(self._app.workspace, action)
        assert isinstance(result, ImportResult)
        said = "\n".join(line for line in result.tell() if isinstance(line, str))
        picture = None if result.sheet is None else Image.open(result.sheet)
        return gr.update(value=said, visible=True), gr.update(
            value=picture, visible=picture is not None
        )

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
