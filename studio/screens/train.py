"""The tab Train: begin a run, watch it, stop it, go on with it."""

from __future__ import annotations

import dataclasses
from html import escape
from typing import Any

import gradio as gr

from checkpoints_index.catalogue import STORAGES, list_runs
from latent.errors import UserError
from studio.forecast import describe_launch
from studio.jobs import submit_job
from studio.runs import stop_run
from studio.screens import markup
from studio.screens.datasets import DatasetsPanel
from studio.screens.desk import QUIETLY, Desk, telling
from studio.screens.live import show_live, show_runs
from studio.training.choice import PRESETS, choose_config
from studio.training.config import TrainingConfig
from studio.workspace import Workspace

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
        desk.on_look(tab, lambda run, *form: self._show_plan(*form), self._form, self._plan)
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
            with gr.Row():
                self._storage = gr.Radio(
                    list(reversed(STORAGES)),
                    value="visual",
                    label="Checkpoints keep",
                    info="all that can be seen, or every bit",
                    min_width=170,
                )
                self._quality = gr.Number(
                    TrainingConfig.quality,
                    label="Quality",
                    info="rms off, of 255",
                    minimum=0.01,
                    maximum=10,
                    step=0.05,
                    min_width=110,
                )
            self._forecast = markup.pressable(elem_id="forecast")
            with gr.Accordion("More settings", open=False):
                self._numbers = [
                    gr.Number(label=label, minimum=0)
                    for label in ("Batch size", "Learning rate of G", "Learning rate of D")
                ]
        start = gr.Button("Start training", variant="primary", elem_id="start")
        self._command = markup.pressable()
        settings = [self._batches, *self._numbers]
        kept: list[Any] = [self._storage, self._quality]
        form: list[Any] = [self._dataset, self._name, self._preset, *kept, *settings]
        self._form = form
        self._preset.change(_preset_numbers, self._preset, settings, **QUIETLY)
        self._storage.change(
            lambda storage: gr.Number(visible=storage == "visual"), *kept, **QUIETLY
        )
        self._plan = [self._command, self._forecast]
        gr.on([field.change for field in form], self._show_plan, form, self._plan, **QUIETLY)
        start.click(
            telling(self._start), form, [self._desk.awaited, self._name], api_visibility="private"
        )
        for field, value in zip(settings, _preset_numbers(presets[0]), strict=True):
            field.value = value

    def _show_plan(self, *form: Any) -> tuple[str, str]:
        """The command that the form stands for, and what its checkpoints will take."""
        return markup.command(train_words(*form)), self._show_forecast(*form)

    def _show_forecast(self, dataset: str | None, name: str, preset: str, *rest: Any) -> str:
        if not dataset:
            return ""
        try:
            config = form_config(self._desk.workspace, dataset, preset, *rest)
            text, warning = describe_launch(config, rest[0], self._desk.workspace.runs)
        except UserError as error:
            text, warning = "", str(error)
        return (
            f'<div class="small quiet">{escape(text)} '
            f'<span class="warning">{escape(warning)}</span></div>'
        )

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
        form_config(self._desk.workspace, dataset, preset, *rest)
        submit_job(self._desk.workspace, train_words(dataset, name, preset, *rest), name)
        gr.Info(f"Run {name} is being made; its first pictures show in a moment.", title="Started")
        return name, ""

    def _look(self, run: str | None) -> tuple[str, str]:
        return show_live(self._desk.records, run), show_runs(self._desk.records, run)

    def _press(self, run: str, event: gr.EventData) -> tuple[str, str]:
        """Stop or resume the chosen run."""
        if event.action == "stop":
            stop_run(self._desk.workspace, run)
            gr.Info("The state of the training is saved first.", title=f"Stopping {run}")
        elif event.action == "resume":
            submit_job(self._desk.workspace, resume_words(run, event.batches), run)
            gr.Info("It goes on from its newest state.", title=f"Resuming {run}")
        return self._look(run)

    def _choose_run(self, event: gr.EventData) -> Any:
        """Choose a run from the list, or have the list made anew."""
        if event.action == "reindex":
            submit_job(self._desk.workspace, ["reindex"])
            gr.Info("Runs are looked for by their checkpoints.", title="Reindexing")
        return event.label if event.action == "choose" else gr.skip()


def form_config(
    workspace: Workspace,
    dataset: str,
    preset: str,
    storage: str,
    quality: float | None,
    batches: float | None,
    *numbers: Any,
) -> TrainingConfig:
    """The configuration that the form stands for.

    Raises:
        UserError: a value that does not fit.
    """
    settings = _settings(preset, batches, *numbers)
    if storage == "visual" and quality is not None:
        settings["quality"] = float(quality)
    chosen = None if preset == PLAIN else preset
    return choose_config(workspace, dataset, None, chosen, settings)


def train_words(
    dataset: str | None,
    name: str,
    preset: str,
    storage: str,
    quality: float | None,
    batches: float | None,
    *numbers: Any,
) -> list[str]:
    """The command that does what the form says; settings that the preset has stay unsaid."""
    words = ["train", dataset or "DATASET", "--run", name.strip() or "NAME"]
    words += ["--preset", preset] if preset != PLAIN else []
    settings = _settings(preset, batches, *numbers)
    batches = settings.pop("batches", None)
    words += ["--batches", str(batches)] if batches is not None else []
    if storage != "visual":
        words += ["--storage", storage]
    elif quality is not None and quality != TrainingConfig.quality:
        words += ["--quality", f"{quality:g}"]
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
