"""The tab Train: begin a run, watch it, steer it, stop it, go on with it."""

from __future__ import annotations

from html import escape
from typing import Any, ClassVar, get_args, get_type_hints

import gradio as gr

from checkpoints_index.generators import ARCHITECTURES
from checkpoints_index.storage.catalogue import STORAGES, list_runs
from studio.runs.changes import ask
from studio.runs.config import AUGMENTATION_NAMES, TrainingConfig
from studio.runs.forecast import describe_launch
from studio.runs.status import stop_run
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, folded, show_errors
from studio.screens.train.dataset_panel import DatasetsPanel
from studio.screens.train.histogram_view import show_layers
from studio.screens.train.live_settings import ControlsPanel
from studio.screens.train.run_view import show_live, show_runs
from studio.screens.train.training_form import (
    NO_PRESET,
    SETTINGS,
    TrainForm,
    describe_preset,
    form_names,
    preset_config,
    shown_values,
    train_words,
)
from studio.training.setup.presets import PRESETS
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import submit_job

ASKED = {  # what is told when a run is asked for something
    "pause": ("Pausing", "It waits once its batch is done."),
    "continue": ("Going on", "The next batch begins."),
    "save": ("Saving the state of", "The state of the training is taken after this batch."),
}


class TrainScreen:
    """Lays the tab out and answers what is done in it."""

    TITLE: ClassVar[str] = "Train"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with app.tab(self.TITLE) as tab, gr.Row(equal_height=False):
            self._view, self._log = gr.State("losses"), gr.State(False)
            with gr.Column(scale=3, min_width=320):
                self._lay_out_form()
                self._datasets = DatasetsPanel(app, tab, self._fields["dataset"])
            with gr.Column(scale=7, min_width=520):
                self._live = markup.pressable(elem_id="live")
                ControlsPanel(app, tab)
                layers, self._layers_open = folded("Weights and activations")
                with layers:
                    self._layers = markup.pressable(elem_id="layers")
                    self._layers_batch = gr.State(None)
                self._runs = markup.pressable(elem_id="runs")
        self._connect(tab)

    def _connect(self, tab: gr.Tab) -> None:
        app, curves = self._app, [self._view, self._log]
        seen = [self._live, self._runs]
        app.keep_current(tab, self._look, curves, seen, clock=True)
        looked = [self._layers_open, self._layers_batch]
        app.keep_current(tab, self._show_layers, looked, [self._layers], clock=True)
        gr.on(
            [state.change for state in looked],
            self._show_layers,
            [app.run, *looked],
            self._layers,
            **EVENT_DEFAULTS,
        )
        self._layers.click(_pressed_batch, None, self._layers_batch, **EVENT_DEFAULTS)
        app.keep_current(tab, lambda run, *form: self._show_plan(*form), self._form, self._plan)
        self._live.click(
            show_errors(self._press), [app.run, *curves], [*curves, self._live], **EVENT_DEFAULTS
        )
        self._runs.click(self._choose_run, None, app.run, **EVENT_DEFAULTS)

    def _lay_out_form(self) -> None:
        presets = [*PRESETS, NO_PRESET]
        with gr.Group():
            laid = self._lay_out_first(presets)
            forecast = markup.pressable(elem_id="forecast")
            with gr.Accordion("More settings", open=False, elem_id="more-settings"):
                laid |= _lay_out_more()
        start = gr.Button("Start training", variant="primary", elem_id="start")
        command = markup.pressable()
        self._fields, self._plan = laid, [command, forecast]
        for name, value in shown_values(preset_config(presets[0])).items():
            laid[name].value = value
        self._form = [laid[name] for name in form_names()]
        self._connect_form(start)

    def _connect_form(self, start: gr.Button) -> None:
        laid = self._fields
        gr.on(
            [laid["preset"].change, laid["begin_from"].blur, laid["begin_from"].submit],
            show_errors(self._fill_settings),
            self._form,
            [laid[name] for name in SETTINGS],
            **EVENT_DEFAULTS,
        )
        laid["storage"].change(
            lambda storage: gr.Number(visible=storage == "visual"),
            laid["storage"],
            laid["quality"],
            **EVENT_DEFAULTS,
        )
        changes = [field.change for field in self._form]
        gr.on(changes, self._show_plan, self._form, self._plan, **EVENT_DEFAULTS)
        outputs = [self._app.awaited, laid["name"]]
        start.click(show_errors(self._start), self._form, outputs, **EVENT_DEFAULTS)

    def _lay_out_first(self, presets: list[str]) -> dict[str, Any]:
        """What everyone chooses."""
        laid: dict[str, Any] = {
            "dataset": gr.Dropdown(label="Pictures to train on", choices=[], interactive=True),
            "name": gr.Textbox(label="Name of the new run", placeholder="such as city"),
        }
        with gr.Row():
            laid["preset"] = gr.Dropdown(presets, value=presets[0], label="Settings", min_width=90)
            laid["batches"] = gr.Number(label="Batches", precision=0, minimum=1, min_width=90)
        with gr.Row():
            laid["storage"] = gr.Radio(
                list(reversed(STORAGES)),
                value="visual",
                label="Checkpoints keep",
                info="all that can be seen, or every bit",
                min_width=170,
            )
            laid["quality"] = gr.Number(
                TrainingConfig.quality,
                label="Quality",
                info="rms off, of 255",
                minimum=0.01,
                maximum=10,
                step=0.05,
                min_width=110,
            )
        return laid

    def _fill_settings(self, *values: Any) -> list[Any]:
        """Show the settings of the chosen preset, or of the run to go on from."""
        base = TrainForm(*values).base(self._app.workspace)
        return [gr.update(value=value) for value in shown_values(base).values()]

    def _show_plan(self, *values: Any) -> tuple[str, str]:
        """The command that the form stands for, and what its checkpoints will take."""
        form = TrainForm(*values)
        said = "" if form.origin else describe_preset(form.preset)
        forecast = warning = ""
        try:
            base = form.base(self._app.workspace)
            if form.dataset:
                config = form.config(self._app.workspace)
                forecast, warning = describe_launch(config, form.storage, self._app.workspace.runs)
        except EXPECTED_ERRORS as error:
            base, warning = preset_config(form.preset), str(error)
        return markup.command(train_words(form, base)), (
            f'<div class="small quiet">{escape(said)}</div><div class="small quiet">'
            f'{escape(forecast)} <span class="warning">{escape(warning)}</span></div>'
        )

    def _start(self, *values: Any) -> tuple[str, str]:
        """Refuse at once what the job would refuse, then hand it over."""
        form = TrainForm(*values)
        if not form.dataset:
            raise StudioError("There are no pictures to train on. Add some below, under Pictures.")
        name = form.name.strip()
        if not name:
            raise StudioError("The new run needs a name. Write one, such as city.")
        self._app.workspace.run(name)
        if name in list_runs(self._app.workspace.runs):
            raise StudioError(f"Run '{name}' exists already. Choose another name, or resume it.")
        form.check(self._app.workspace)
        words = train_words(form, form.base(self._app.workspace))
        submit_job(self._app.workspace, words, name)
        gr.Info(f"Run {name} is being made; its first pictures show in a moment.", title="Started")
        return name, ""

    def _look(self, run: str | None, view: str, log: bool) -> tuple[str, str]:
        records = self._app.run_cache
        return show_live(records, run, view, log), show_runs(records, run)

    def _show_layers(self, run: str | None, is_open: bool, batch: int | None) -> Any:
        if run is None or not is_open:
            return gr.skip()
        return show_layers(self._app.workspace.histograms(run), batch)

    def _press(self, run: str, view: str, log: bool, event: gr.EventData) -> tuple[str, bool, str]:
        """Look at other curves, or ask the chosen run for something."""
        if event.action == "curves":
            view = event.view
        elif event.action == "log":
            log = not log
        else:
            self._steer(run, event)
        return view, log, show_live(self._app.run_cache, run, view, log)

    def _steer(self, run: str, event: gr.EventData) -> None:
        if event.action == "stop":
            stop_run(self._app.workspace, run)
            gr.Info("The state of the training is saved first.", title=f"Stopping {run}")
        elif event.action == "resume":
            submit_job(self._app.workspace, resume_words(run, event.batches), run)
            gr.Info("It goes on from its newest state.", title=f"Resuming {run}")
        elif event.action in ASKED:
            ask(self._app.workspace, run, event.action)
            title, text = ASKED[event.action]
            gr.Info(text, title=f"{title} {run}")

    def _choose_run(self, event: gr.EventData) -> Any:
        """Choose a run from the list, or have the list made anew."""
        if event.action == "reindex":
            submit_job(self._app.workspace, ["reindex"])
            gr.Info("Runs are looked for by their checkpoints.", title="Reindexing")
        return event.label if event.action == "choose" else gr.skip()


def _pressed_batch(event: gr.EventData) -> int | None:
    """The batch whose layers are to be shown; None for the newest, whichever that is."""
    return int(event.batch) if event.batch else None


def resume_words(run: str, batches: str) -> list[str]:
    """Go on with a run, perhaps to another batch than it was made for."""
    if not batches.strip():
        return ["resume", run]
    if not batches.strip().isdecimal() or int(batches) < 1:
        raise StudioError(
            f"'{batches}' is no batch to train to. Write a whole number, such as 2000."
        )
    return ["resume", run, "--batches", str(int(batches))]


def _lay_out_more() -> dict[str, Any]:
    """What one may leave to the preset."""
    kinds = get_type_hints(TrainingConfig)
    laid: dict[str, Any] = {}
    with gr.Row():
        laid["begin_from"] = gr.Textbox(
            "", label="Go on from", placeholder="RUN@BATCH", min_width=110
        )
        laid["warm_from"] = gr.Textbox("", label="Networks of", placeholder="RUN", min_width=110)
    with gr.Row():
        laid["time_box"] = gr.Textbox(
            "", label="Train for", placeholder="such as 85m", min_width=110
        )
        laid["processes"] = gr.Number(1, label="Processes", precision=0, minimum=1, min_width=110)
    with gr.Row():
        laid["generator"] = gr.Dropdown(
            list(ARCHITECTURES), label="Generator", allow_custom_value=True, min_width=110
        )
        laid["discriminator"] = _choice("Discriminator", kinds["discriminator"])
    with gr.Row():
        laid["loss"] = _choice("Loss", kinds["loss"])
        laid["precision"] = _choice("Precision", kinds["precision"])
    with gr.Row():
        laid["learning_rate_g"] = _rate("Learning rate of G")
        laid["learning_rate_d"] = _rate("Learning rate of D")
    with gr.Row():
        laid["schedule"] = _choice("Schedule", kinds["schedule"])
        laid["batch_size"] = gr.Number(label="Batch size", precision=0, minimum=2, min_width=110)
    laid["fit_memory"] = gr.Checkbox(
        label="Fit the memory", info="When it runs out, a batch is taken in smaller passes."
    )
    laid["augmentation"] = gr.CheckboxGroup(list(AUGMENTATION_NAMES), label="Augmentation")
    laid["others"] = gr.Textbox(
        "", label="Any other setting", placeholder="NAME=VALUE, one a line", lines=2
    )
    return laid


def _choice(label: str, kind: Any) -> gr.Dropdown:
    names = [(name.replace("_", " "), name) for name in get_args(kind)]
    return gr.Dropdown(names, label=label, min_width=110)


def _rate(label: str) -> gr.Number:
    return gr.Number(label=label, minimum=0, step=1e-5, min_width=110)
