"""The tab Train: begin a run, watch it, steer it, stop it, go on with it."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import gradio as gr
from markupsafe import Markup

from checkpoints_index.storage.catalogue import list_runs
from studio.actions.action import Action
from studio.actions.declared.checkpoint_actions import Reindex
from studio.actions.declared.removal_actions import DeleteRun, RenameRun
from studio.actions.declared.run_actions import Continue, Pause, Save, TrainingRequest
from studio.actions.declared.training_actions import Resume
from studio.runs.config import TrainingConfig
from studio.runs.forecast import describe_launch
from studio.runs.status import stop_run
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EACH_TIME,
    EVENT_DEFAULTS,
    AppContext,
    folded,
    once_soon,
    show_errors,
)
from studio.screens.parts.charts.axes import AXES, BATCH
from studio.screens.parts.charts.curve_views import known_views
from studio.screens.parts.charts.curves import zoom_by, zoom_script
from studio.screens.parts.jobs_view import announce_submitted
from studio.screens.parts.number_field import NumberField
from studio.screens.parts.removal_panel import RemovalPanel
from studio.screens.train import sheet_route
from studio.screens.train.dataset_panel import DatasetsPanel
from studio.screens.train.dry_run_panel import NO_PICTURES, DryRunPanel
from studio.screens.train.histogram_view import show_layers
from studio.screens.train.lineage_view import show_lineage
from studio.screens.train.live_settings import ControlsPanel
from studio.screens.train.metrics_route import MetricsRoute
from studio.screens.train.own_presets_panel import OwnPresetsPanel
from studio.screens.train.run_view import read_step, show_live, show_runs
from studio.screens.train.sweep_panel import SweepPanel
from studio.screens.train.training_form import (
    CHOSEN,
    RUN_ORIGINS,
    TrainForm,
    describe_preset,
    preset_config,
    shown_values,
)
from studio.screens.train.training_layout import NO_FORECAST, lay_out_settings
from studio.training.setup.own_presets import list_own_presets
from studio.training.setup.presets import NO_PRESET, PRESETS
from studio.training.setup.run_request import (
    choose_settings,
    explain_choice,
    first_batch,
    require_way,
)
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.records.record import InvalidValueError

WRITTEN = "branch", "init_from"  # Fields that fill the form with settings when they are left.
ORIGINS = "preset", "like", *WRITTEN
ASK_TO_FILL = """(kept, ...values) => [
    studio.askToFill('train', kept, values.slice(0, 4).map((v) => v ?? '').join('|')), ...values]"""
NO_ORIGIN = "|||"  # All of them empty.
FILL_FORM = "(answer, ...values) => studio.fillForm(answer, values)"
REQUESTS = {  # What is told when a run is asked for something.
    "pause": "Pausing {}: it waits once its batch is done.",
    "continue": "Going on with {}: the next batch begins.",
    "save": "Saving the state of {}: it is taken after this batch.",
}
REQUESTED: dict[str, type[TrainingRequest]] = {
    action.command: action for action in (Pause, Continue, Save)
}


class TrainScreen:
    """Lays the tab out and answers what is done in it."""

    TITLE: ClassVar[str] = "Train"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._form = TrainForm(app.workspace)
        with app.tab(self.TITLE) as tab, gr.Row(equal_height=False):
            self._view, self._log = gr.State("losses"), gr.State(False)
            self._zoom, self._axis = gr.State(None), gr.State(BATCH)
            self._kept_dataset = gr.State()
            self._filled_for = gr.Textbox(NO_ORIGIN, visible="hidden")  # Whose settings show.
            self._recipe = gr.Textbox(
                TrainingConfig.recipe, visible="hidden"
            )  # And of which recipe.
            self._answer = gr.Textbox(visible="hidden")  # The settings with which to fill the form.
            with gr.Column(scale=3, min_width=320):
                self._lay_out_form(tab)
                self._datasets = DatasetsPanel(
                    app, tab, self._form.laid["dataset"], self._kept_dataset
                )
            with gr.Column(scale=7, min_width=520):
                self._live = markup.pressable(elem_id="live", script=zoom_script())
                self._lineage = markup.pressable(elem_id="lineage")
                ControlsPanel(app, tab)
                layers, self._layers_open = folded("Weights and activations")
                with layers:
                    self._layers = markup.pressable(elem_id="layers")
                    self._layers_batch = gr.State(None)
                self._runs = markup.pressable(elem_id="runs")
                self._lay_out_removal()
        self._connect(tab)

    def _connect(self, tab: gr.Tab) -> None:
        self._connect_form()
        app, curves = self._app, [self._view, self._log, self._zoom, self._axis]
        seen = [self._live, self._runs]
        app.keep_current(tab, self._look, [*curves, app.awaited], seen, clock=True)
        app.keep_current(tab, self._show_lineage, [], [self._lineage], clock=True)
        app.on_press(self._lineage, self._choose_run, None, app.run)
        looked = [self._layers_open, self._layers_batch]
        app.keep_current(tab, self._show_layers, looked, [self._layers], clock=True)
        gr.on(
            [state.change for state in looked],
            self._show_layers,
            [app.run, *looked],
            self._layers,
            **EVENT_DEFAULTS,
        )
        app.on_press(self._layers, _pressed_batch, None, self._layers_batch)
        form = self._form.inputs
        app.keep_current(tab, lambda run, *values: self._show_plan(*values), form, self._plan)
        app.on_press(self._live, self._press, [app.run, *curves], [*curves, self._live])
        app.on_press(self._runs, self._choose_run, None, app.run)
        app.address.hold(self.TITLE, "curves", self._view, "losses", known=known_views())
        app.address.hold(self.TITLE, "log", self._log, False)
        app.address.hold(self.TITLE, "seen", self._zoom)
        app.address.hold(self.TITLE, "over", self._axis, BATCH, known=AXES)
        app.own_answers["/studio/metrics.csv"] = MetricsRoute(app.workspace).answer
        app.own_answers[sheet_route.PATH] = sheet_route.SheetRoute(app.workspace).answer

    def _lay_out_removal(self) -> None:
        def follow(action: Action) -> list[Any]:
            """Choose the run under its new name; another one where it is gone."""
            name = action.new if isinstance(action, RenameRun) else None
            return [gr.Dropdown(choices=list_runs(self._app.workspace.runs), value=name)]

        RemovalPanel(
            self._app,
            "this run",
            [self._app.run],
            lambda run: DeleteRun.read({"run": run or ""}),
            lambda run, name: RenameRun.read({"run": run or "", "new": name}),
            [self._app.run],
            follow,
        )

    def _lay_out_form(self, tab: gr.Tab) -> None:
        form = self._form
        with gr.Group():
            forecast = lay_out_settings(form)
        with gr.Row():
            attempt = gr.Button("Try it first", elem_id="try", min_width=110)
            start = gr.Button("Start training", variant="primary", elem_id="start", min_width=140)
        DryRunPanel(self._app, tab, form, attempt)
        OwnPresetsPanel(self._app, tab, form)
        SweepPanel(self._app, form)
        command = markup.pressable()
        self._plan = [command, forecast]
        names = list(form.settings)
        first = preset_config(self._app.workspace, CHOSEN)
        for name, value in zip(names, shown_values(first, names), strict=True):
            form.settings[name].value = value
        self._start_button = start

    def _connect_form(self) -> None:
        form, laid = self._form, self._form.laid
        settings = list(form.settings.values())
        filled_for, answer = self._filled_for, self._answer
        written = [laid[name] for name in WRITTEN]
        gr.on(
            [
                laid["like"].input,
                laid["preset"].input,  # A list that is opened and left says so, too.
                *(event for field in written for event in (field.blur, field.submit)),
            ],
            show_errors(self._answer_for_origin),
            [filled_for, *(laid[name] for name in ORIGINS), *form.inputs],
            [filled_for, answer],
            js=ASK_TO_FILL,
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        recipe, options = form.settings["recipe"], form.option_groups
        recipe.input(
            show_errors(self._answer_for_recipe),
            [self._recipe, *form.inputs],
            [self._recipe, filled_for, answer, laid["preset"]],
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        recipe.change(
            lambda chosen: {
                group: gr.Column(visible=name == chosen) for name, group in options.items()
            },
            recipe,
            [*options.values()],
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        answer.change(
            None, [answer, *settings], settings, js=FILL_FORM, **EACH_TIME, **EVENT_DEFAULTS
        )
        laid["dataset"].change(
            show_errors(self._follow_dataset),
            form.inputs,
            settings,
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        laid["storage"].change(
            lambda storage: NumberField(visible=storage == "visual"),
            laid["storage"],
            laid["quality"],
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        changes = [field.change for field in form.inputs]
        planned = once_soon(self._app.address.bar, "plan training", changes)
        gr.on(
            [planned],
            self._show_plan,
            form.inputs,
            self._plan,
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )
        kept = [*form.inputs, filled_for]  # What the browser kept has settings of its own.
        self._app.keep_form("train", kept, {laid["dataset"]: self._kept_dataset})
        outputs = [self._app.awaited, laid["run"], self._live]
        start = self._start_button
        start.click(show_errors(self._start), form.inputs, outputs, **EVENT_DEFAULTS)

    def _presets(self) -> list[str]:
        return [*PRESETS, *list_own_presets(self._app.workspace), NO_PRESET]

    def _answer_for_origin(self, filled_for: str, *values: Any) -> Any:
        """The settings of another preset or origin, and those that the form had meanwhile.

        Whoever only passes by such a field keeps what was typed.
        """
        origins, written = values[: len(ORIGINS)], values[len(ORIGINS) :]
        origin = "|".join(name or "" for name in origins)
        if origin == filled_for:
            return gr.skip(), gr.skip()
        return origin, self._fill(origin, *written)

    def _answer_for_recipe(self, known: str, *written: Any) -> Any:
        """The settings of another recipe; a preset of the one before gives way to its own.

        Whoever only passes by the field keeps what was typed.

        Args:
            known: the recipe that was answered last.
        """
        form = self._form
        names, fields, recipe = [*form.laid], form.as_written(*written), form.recipe(*written)
        if recipe == known or any(fields.get(name) for name in RUN_ORIGINS):
            return [gr.skip()] * 4  # Settings are those that show, or of the run that is named.
        preset = fields.get("preset", CHOSEN)
        if preset and preset_config(self._app.workspace, preset).recipe != recipe:
            preset = CHOSEN
        now = [*written]
        now[names.index("preset")] = preset
        origin = "|".join((preset, "", "", ""))
        return recipe, origin, self._fill(origin, *now), preset

    def _fill(self, origin: str, *written: Any) -> str:
        """What the page is told that is to fill the form.

        Args:
            origin: whose settings it is to show.
            written: the values of the form.
        """
        shown = shown_values(self._form.base(*written), list(self._form.settings))
        was = written[len(self._form.laid) :]
        return json.dumps({"form": "train", "origin": origin, "was": was, "now": shown})

    def _follow_dataset(self, *values: Any) -> list[Any]:
        """Show the settings that are chosen for the pictures; what somebody wrote stays."""
        names, form, workspace = list(self._form.settings), self._form, self._app.workspace
        if "preset" in form.as_written(*values):
            return [gr.skip()] * len(names)
        chosen = shown_values(form.base(*values), names)
        presets = [shown_values(preset_config(workspace, name), names) for name in self._presets()]
        return [
            gr.update(value=now) if was != now and was in known else gr.skip()
            for now, was, known in zip(
                chosen, values[len(form.laid) :], zip(*presets, strict=True), strict=True
            )
        ]

    def _show_plan(self, *values: Any) -> tuple[Markup, Markup]:
        """The command that the form stands for, and what its checkpoints will take."""
        fields = self._form.as_written(*values)
        unnamed = {} if "run" in fields else {"run": "NAME"}
        said = (
            ""
            if {"branch", "like"} & set(fields)
            else describe_preset(fields.get("preset", CHOSEN))
        )
        forecast = warning = ""
        try:
            if "dataset" in fields:
                written = self._form.read(*values, **unnamed)
                action = self._app.permissions.check(written)
                config = choose_settings(self._app.workspace, action.request)
                explained = explain_choice(self._app.workspace, action.request, config)
                said = f"{said} {explained}".strip()
                require_way(self._app.workspace, action.run, action.request, config.batches)
                begun = first_batch(self._app.workspace, action.request)
                forecast, warning = describe_launch(
                    config, action.storage, self._app.workspace.runs, begun
                )
        except EXPECTED_ERRORS as error:
            warning = explain(error)
        command = self._form.preview(*values, **unnamed)
        if not (said or forecast or warning):
            return command, NO_FORECAST
        return command, markup.note(said) + markup.note(
            Markup('{} <span class="warning">{}</span>').format(forecast, warning)
        )

    def _start(self, *values: Any) -> tuple[str, str, Markup]:
        """Refuse at once what the job would refuse, then hand it over."""
        fields = self._form.as_written(*values)
        if "dataset" not in fields:
            raise StudioError(NO_PICTURES)
        if "run" not in fields:
            raise StudioError("The new run needs a name. Write one, such as city.")
        action = self._form.read(*values)
        job = self._app.submit(action)
        begun = f"Run {action.run} is being made; its first pictures show in a moment."
        announce_submitted(self._app.workspace, job, begun)
        shown = show_live(self._app.run_cache, None, "losses", False, action.run)
        return action.run, "", shown

    def _look(
        self,
        run: str | None,
        view: str,
        log: bool,
        zoom: tuple[int, int] | None,
        axis: str,
        awaited: str | None,
    ) -> tuple[str, str]:
        records = self._app.run_cache
        return show_live(records, run, view, log, awaited, zoom, axis), show_runs(records, run)

    def _show_lineage(self, run: str | None) -> Markup:
        return show_lineage(self._app.workspace, run)

    def _show_layers(self, run: str | None, is_open: bool, batch: int | None) -> Any:
        if run is None or not is_open:
            return gr.skip()
        return show_layers(self._app.workspace.histograms(run), batch)

    def _press(
        self,
        run: str,
        view: str,
        log: bool,
        zoom: tuple[int, int] | None,
        axis: str,
        event: gr.EventData,
    ) -> tuple[str, bool, tuple[int, int] | None, str, str]:
        """Look at other curves, or ask the chosen run for something."""
        if event.action == "curves":
            view = event.view
        elif event.action == "log":
            log = not log
        elif event.action == "zoom":
            zoom = zoom_by(self._app.run_cache.metrics(run), zoom, read_step(event), axis)
        elif event.action == "axis":
            axis = event.axis if event.axis in AXES else BATCH
        else:
            self._steer(run, event)
        shown = show_live(self._app.run_cache, run, view, log, zoom=zoom, axis=axis)
        return view, log, zoom, axis, shown

    def _steer(self, run: str, event: gr.EventData) -> None:
        workspace = self._app.workspace
        if event.action == "stop":
            stop_run(workspace, run)
            gr.Info(f"Stopping {run}: the state of the training is saved first.")
        elif event.action == "resume":
            job = self._app.submit(read_resume(run, event.batches))
            begun = f"Resuming {run} from its newest state."
            announce_submitted(workspace, job, begun)
        elif event.action in REQUESTED:
            self._app.perform(REQUESTED[event.action](run=run))
            gr.Info(REQUESTS[event.action].format(run))

    def _choose_run(self, event: gr.EventData) -> Any:
        """Choose a run from the list, or have the list made anew."""
        if event.action == "reindex":
            self._app.submit(Reindex())
            gr.Info("Reindexing: runs are looked for by their checkpoints.")
        return event.label if event.action == "choose" else gr.skip()


def _pressed_batch(event: gr.EventData) -> int | None:
    """The batch whose layers are to be shown; None for the newest, whichever that is."""
    return int(event.batch) if event.batch else None


def read_resume(run: str, batches: str) -> Resume:
    """Go on with a run, perhaps to another batch than it was made for.

    Raises:
        StudioError: the batch cannot be read.
    """
    given = {"batches": batches.strip()} if batches.strip() else {}
    try:
        return Resume.read({"run": run, **given})
    except InvalidValueError as error:
        raise StudioError(
            f"'{batches}' is no batch to train to. Write a whole number, such as 2000."
        ) from error
