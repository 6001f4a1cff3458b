"""The tab Train: begin a run, watch it, stop it, go on with it."""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr

from checkpoints_index.catalogue import STORAGES, list_runs
from latent.errors import UserError
from studio.jobs import submit_job
from studio.runs import stop_run
from studio.screens import markup
from studio.screens.datasets import DatasetsPanel
from studio.screens.desk import QUIETLY, Desk, telling
from studio.screens.live import show_live, show_runs
from studio.training.choice import PRESETS, choose_config
from studio.training.config import TrainingConfig

PLAIN = "plain"
NUMBERS = ("batch_size", "learning_rate_g", "learning_rate_d")


class TrainScreen:
    """Lays the tab out and answers what is done in it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        with desk.tab("Train") as tab, gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self._lay_out_form()
                self._datasets = DatasetsPanel(desk, tab, self._dataset)
            with gr.Column(scale=7, min_width=520):
                self._live = markup.pressable(elem_id="live")
                self._runs = markup.pressable(elem_id="runs")
        desk.on_look(tab, self._look, [], [self._live, self._runs], clock=True)
        self._live.click(telling(self._press), desk.run, [self._live, self._runs], **QUIETLY)
        self._runs.click(self._choose_run, None, desk.run, **QUIETLY)

    def _lay_out_form(self) -> None:
        with gr.Group():
            self._dataset = gr.Dropdown(label="Pictures to train on", choices=[], interactive=True)
            self._name = gr.Textbox(label="Name of the new run", placeholder="such as city")
            with gr.Row():
                presets = [*PRESETS, PLAIN]
                self._preset = gr.Dropdown(
                    presets, value=presets[0], label="Settings", min_width=90
                )
                self._batches = gr.Number(label="Batches", precision=0, minimum=1, min_width=90)
            with gr.Accordion("More settings", open=False):
                self._storage = gr.Radio(
                    list(reversed(STORAGES)),
                    value="visual",
                    label="Checkpoints keep",
                    info="visual: all that can be seen, far smaller; exact: every bit",
                )
                self._numbers = [
                    gr.Number(label=label, minimum=0)
                    for label in ("Batch size", "Learning rate of G", "Learning rate of D")
                ]
        start = gr.Button("Start training", variant="primary", elem_id="start")
        self._command = markup.pressable()
        settings = [self._batches, *self._numbers]
        form: list[Any] = [self._dataset, self._name, self._preset, self._storage, *settings]
        self._preset.change(_preset_numbers, self._preset, settings, **QUIETLY)
        gr.on([field.change for field in form], self._show_command, form, self._command, **QUIETLY)
        start.click(
            telling(self._start), form, [self._desk.awaited, self._name], api_visibility="private"
        )
        for field, value in zip(settings, _preset_numbers(presets[0]), strict=True):
            field.value = value

    def _show_command(self, *form: Any) -> str:
        return markup.command(train_words(*form))

    def _start(self, dataset: str | None, name: str, preset: str, *rest: Any) -> tuple[str, str]:
        """Refuse at once what the job would refuse, then hand it over."""
        if not dataset:
            raise UserError("There are no pictures to train on. Add some below, under Pictures.")
        if not name.strip():
            raise UserError("The new run needs a name. Write one, such as city.")
        name = name.strip()
        self._desk.workspace.run(name)
        if name in list_runs(self._desk.workspace.runs):
            raise UserError(f"Run '{name}' exists already. Choose another name, or resume it.")
        chosen = None if preset == PLAIN else preset
        choose_config(self._desk.workspace, dataset, None, chosen, _settings(preset, *rest[1:]))
        submit_job(self._desk.workspace, train_words(dataset, name, preset, *rest), name)
        gr.Info(f"Run {name} is being made; its first pictures show in a moment.", title="Started")
        return name, ""

    def _look(self, run: str | None) -> tuple[str, str]:
        workspace = self._desk.workspace
        return show_live(workspace, run), show_runs(workspace, run)

    def _press(self, run: str, event: gr.EventData) -> tuple[str, str]:
        if event.action == "stop":
            stop_run(self._desk.workspace, run)
            gr.Info("The state of the training is saved first.", title=f"Stopping {run}")
        elif event.action == "resume":
            submit_job(self._desk.workspace, resume_words(run, event.batches), run)
            gr.Info("It goes on from its newest state.", title=f"Resuming {run}")
        return self._look(run)

    def _choose_run(self, event: gr.EventData) -> Any:
        return event.label if event.action == "choose" else gr.skip()


def train_words(
    dataset: str | None, name: str, preset: str, storage: str, batches: float | None, *numbers: Any
) -> list[str]:
    """The command that does what the form says; settings that the preset has stay unsaid."""
    words = ["train", dataset or "DATASET", "--run", name.strip() or "NAME"]
    words += ["--preset", preset] if preset != PLAIN else []
    settings = _settings(preset, batches, *numbers)
    batches = settings.pop("batches", None)
    words += ["--batches", str(batches)] if batches is not None else []
    words += ["--storage", storage] if storage != "visual" else []
    return words + [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def resume_words(run: str, batches: str) -> list[str]:
    """Go on with a run, perhaps to another batch than it was made for."""
    if not batches.strip():
        return ["resume", run]
    if not batches.strip().isdecimal() or int(batches) < 1:
        raise UserError(f"'{batches}' is no batch to train to. Write a whole number, such as 2000.")
    return ["resume", run, "--batches", str(int(batches))]


def _settings(preset: str, batches: float | None, *numbers: Any) -> dict[str, Any]:
    """What the form's numbers change in the preset's."""
    base = PRESETS.get(preset, TrainingConfig())
    given = dict(zip(("batches", *NUMBERS), (batches, *numbers), strict=True))
    typed = {
        name: int(value) if isinstance(getattr(base, name), int) else float(value)
        for name, value in given.items()
        if value is not None
    }
    return {name: value for name, value in typed.items() if value != getattr(base, name)}


def _preset_numbers(preset: str) -> list[float]:
    values = dataclasses.asdict(PRESETS.get(preset, TrainingConfig()))
    return [values[name] for name in ("batches", *NUMBERS)]
