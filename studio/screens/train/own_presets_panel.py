"""A panel of the tab Train: the settings that are written, kept under a name of one's own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from checkpoints_index.storage.catalogue import list_runs
from studio.actions.declared.training.preset_actions import PresetsDelete, PresetsSave
from studio.runs.config import TrainingConfig
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.train.training_form import CHOSEN, TrainForm
from studio.training.setup.own_presets import OF_A_RUN, list_own_presets
from studio.training.setup.presets import NO_PRESET, PRESETS
from studio.training.setup.run_request import choose_settings
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace


class OwnPresetsPanel:
    """Saves and deletes presets, and keeps the choices of presets and runs of the form."""

    def __init__(self, app: AppContext, tab: gr.Tab, form: TrainForm) -> None:
        self._app, self._form = app, form
        with gr.Accordion("Keep these settings", open=False, elem_id="own-presets"):
            with gr.Row():
                name = gr.Textbox(label="As a preset named", placeholder="such as slow-and-wide")
                replaces = gr.Checkbox(False, label="Replace one of that name")
            with gr.Row():
                save = gr.Button("Save the preset", size="sm", elem_id="save-preset")
                delete = gr.Button("Delete the preset", size="sm", elem_id="delete-preset")
        choices = [form.laid["preset"], form.laid["like"]]
        known = gr.State()
        app.keep_current(tab, self._offer, [known], [known, *choices], clock=True)
        save.click(
            show_errors(self._save),
            [name, replaces, *form.inputs],
            form.laid["preset"],
            **EVENT_DEFAULTS,
        )
        delete.click(show_errors(self._delete), name, form.laid["preset"], **EVENT_DEFAULTS)

    def _offer(self, run: str | None, known: Any) -> Any:
        """Offer the presets and the runs there are; what is chosen stays."""
        workspace = self._app.workspace
        now = [list_own_presets(workspace), trained_here(workspace)]
        if now == known:
            return gr.skip(), gr.skip(), gr.skip()
        runs = [("none", ""), *((name, name) for name in now[1])]
        return now, gr.Dropdown(choices=offered(workspace)), gr.Dropdown(choices=runs)

    def _save(self, name: str, replaces: bool, *values: Any) -> Any:
        """Keep what is written, and choose it."""
        if not name.strip():
            raise StudioError("The preset needs a name. Write one, such as slow-and-wide.")
        action = save_action(self._app.workspace, self._form, name.strip(), replaces, values)
        self._app.perform(action)
        gr.Info(f"Kept as preset {action.name}: it is chosen under Settings.")
        return gr.Dropdown(choices=offered(self._app.workspace), value=action.name)

    def _delete(self, name: str) -> Any:
        if not name.strip():
            raise StudioError("Write the name of the preset that is to go.")
        self._app.perform(PresetsDelete.read({"name": name.strip()}))
        gr.Info(f"The preset {name.strip()} is gone.")
        return gr.Dropdown(choices=offered(self._app.workspace), value=CHOSEN)


def offered(workspace: Workspace) -> list[tuple[str, str]]:
    """The presets to choose from, as they are called and as they are named."""
    named = (*list_own_presets(workspace), *PRESETS, NO_PRESET)
    return [("automatic", CHOSEN), *((name, name) for name in named)]


def trained_here(workspace: Workspace) -> list[str]:
    """The runs whose settings are known."""
    return [run for run in list_runs(workspace.runs) if workspace.run_config(run).exists()]


def save_action(
    workspace: Workspace, form: TrainForm, name: str, replaces: bool, values: tuple[Any, ...]
) -> PresetsSave:
    """The action that keeps the settings of a form, all that are not their defaults.

    Raises:
        StudioError: what is written is no training.
    """
    written = form.read(*values, run=form.as_written(*values).get("run", "NAME"))
    chosen, plain = asdict(choose_settings(workspace, written.request)), asdict(TrainingConfig())
    changed = {
        setting: value
        for setting, value in chosen.items()
        if setting not in OF_A_RUN and value != plain[setting]
    }
    return PresetsSave.read({"name": name, "settings": changed, "overwrite": replaces})
