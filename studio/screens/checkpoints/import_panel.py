"""A panel of the tab Checkpoints: make a run of checkpoints that a person already has."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from checkpoints_index.storage.catalogue import list_runs
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.workspace.errors import StudioError
from studio.workspace.jobs import submit_job


class ImportPanel:
    """A form with a folder, a name, and what is not always recognised by itself."""

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with gr.Tab("Import"):
            with gr.Row():
                folder = gr.Textbox(
                    label="A folder of checkpoints", placeholder="its path on the studio's machine"
                )
                name = gr.Textbox(label="Name of the new run", min_width=120, elem_id="import-run")
            with gr.Row():
                generator = gr.Textbox(
                    label="Generator", placeholder="recognised; else package.module:Class"
                )
                pattern = gr.Textbox(
                    label="Which number is the batch", placeholder=r"found; else step_(\d+)"
                )
            start = gr.Button("Import the folder", size="md", elem_id="import")
            command = markup.pressable(markup.command(import_words("", "", "", "")))
        form: list[Any] = [folder, name, generator, pattern]
        gr.on([field.change for field in form], _show_command, form, command, **EVENT_DEFAULTS)
        start.click(show_errors(self._import), form, app.awaited, **EVENT_DEFAULTS)

    def _import(self, folder: str, name: str, generator: str, pattern: str) -> Any:
        """Refuse at once what can be seen from here, then hand it over."""
        if not folder.strip() or not name.strip():
            raise StudioError(
                "Write the path of a folder of checkpoints, and what to call the run."
            )
        run = name.strip()
        self._app.workspace.run(run)
        there = run in list_runs(self._app.workspace.runs)
        submit_job(self._app.workspace, import_words(folder, name, generator, pattern), run)
        gr.Info("What is recognised and left out shows below.", title=f"Importing {run}")
        return gr.skip() if there else run


def import_words(folder: str, name: str, generator: str, pattern: str) -> list[str]:
    """The command that imports a folder; what is empty and not needed stays unsaid."""
    words = ["import", folder.strip() or "FOLDER", "--run", name.strip() or "NAME"]
    words += ["--generator", generator.strip()] if generator.strip() else []
    return words + (["--pattern", pattern.strip()] if pattern.strip() else [])


def _show_command(*form: Any) -> Markup:
    return markup.command(import_words(*form))
