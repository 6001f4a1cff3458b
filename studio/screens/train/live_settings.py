"""Settings of a run that change while it trains, with the commands that do the same."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple

import gradio as gr

from studio.runs.changes import REQUESTS, Change, change_settings, list_changes, settings_at
from studio.runs.config import TrainingConfig
from studio.runs.status import read_config
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, folded, show_errors
from studio.screens.train.run_view import AT_WORK
from studio.workspace.paths import Workspace


class LiveSetting(NamedTuple):
    """A setting as it stands on the page; `step` is what an arrow key adds, None for a text."""

    name: str
    label: str
    step: float | None


DIALS = (
    LiveSetting("learning_rate_g", "Learning rate of G", 1e-5),
    LiveSetting("learning_rate_d", "Learning rate of D", 1e-5),
    LiveSetting("g_updates", "Updates of G", 1),
    LiveSetting("d_updates", "to updates of D", 1),
    LiveSetting("label_smoothing", "Label smoothing", 0.05),
    LiveSetting("label_noise", "Label noise", 0.05),
    LiveSetting("label_flips", "Label flips", 0.01),
    LiveSetting("ema", "EMA", 0.0005),
    LiveSetting("checkpoint_every", "Checkpoint every", 1),
    LiveSetting("fixed_points", "Fixed points", 1),
    LiveSetting("augmentation", "Augmentation", None),
)
A_ROW = 4


class ControlsPanel:
    """Enter in a field, or Apply, changes the chosen run, at once or when it goes on."""

    def __init__(self, app: AppContext, tab: gr.Tab) -> None:
        self._app = app
        panel, is_open = folded("Change it while it trains", "controls")
        with panel:
            self._fields = self._lay_out_fields()
            self._asked = markup.pressable(elem_id="asked")
            apply = gr.Button("Apply", variant="primary", size="sm", elem_id="apply")
            self._requests = markup.pressable(elem_id="requests")
        self._shown = gr.State()
        seen, outputs = [is_open, self._shown], [self._requests, self._shown, *self._fields]
        app.on_look(tab, self._look, seen, outputs, clock=True)
        is_open.change(show_errors(self._look), [app.run, *seen], outputs, **EVENT_DEFAULTS)
        typed = [app.run, *self._fields]
        gr.on(
            [field.change for field in self._fields],
            self._show_asked,
            typed,
            self._asked,
            **EVENT_DEFAULTS,
        )
        gr.on(
            [apply.click, *[field.submit for field in self._fields]],
            show_errors(self._apply),
            typed,
            self._asked,
            **EVENT_DEFAULTS,
        )

    def _lay_out_fields(self) -> list[Any]:
        fields: list[Any] = []
        for first in range(0, len(DIALS), A_ROW):
            with gr.Row():
                fields += [_lay_out(dial) for dial in DIALS[first : first + A_ROW]]
        return fields

    def _look(self, run: str | None, is_open: bool, shown: list[Any] | None) -> Any:
        """Only what is in force anew moves a field, so that nobody's typing is lost."""
        workspace = self._app.workspace
        if not is_open:
            return [gr.skip()] * (len(DIALS) + 2)
        if run is None or not workspace.run_config(run).exists():
            return _NOT_TRAINED, None, *[gr.skip()] * len(DIALS)
        config, waiting = settings_now(workspace, run)
        now = [run, *(getattr(config, dial.name) for dial in DIALS)]
        before = shown if shown and shown[0] == run else [None] * len(now)
        fields = [
            gr.skip() if value == was else gr.update(value=value)
            for value, was in zip(now[1:], before[1:], strict=True)
        ]
        training = self._app.run_cache.summary(run).status in AT_WORK
        return show_requests(run, waiting, training), now, *fields

    def _show_asked(self, run: str | None, *typed: Any) -> str:
        if run is None or not self._app.workspace.run_config(run).exists():
            return ""
        return show_asked(self._app.workspace, run, typed)

    def _apply(self, run: str, *typed: Any) -> str:
        values = asked_values(settings_now(self._app.workspace, run)[0], typed)
        if not values:
            gr.Info("Every field has the value that is in force.", title="Nothing to change")
            return ""
        said = change_settings(self._app.workspace, run, values)
        gr.Info(escape(" ".join(said)), title=f"Changing {escape(run)}")
        return self._show_asked(run, *typed)


def settings_now(workspace: Workspace, run: str) -> tuple[TrainingConfig, list[Change]]:
    """The settings that are in force, and the changes that the run has yet to take up."""
    changes = [c for c in list_changes(workspace, run) if c.name not in REQUESTS]
    taken = [change for change in changes if change.batch is not None]
    waiting = [change for change in changes if change.batch is None]
    return settings_at(read_config(workspace, run), taken, None), waiting


def asked_values(config: TrainingConfig, typed: tuple[Any, ...]) -> dict[str, Any]:
    """What the fields say other than the settings in force; an empty number says nothing."""
    values = {}
    for dial, value in zip(DIALS, typed, strict=True):
        now = getattr(config, dial.name)
        if value is not None and value != now:
            values[dial.name] = type(now)(value)
    return values


def set_words(run: str, values: Mapping[str, Any]) -> list[str]:
    """The command that makes the same changes."""
    return ["set", run, *(f"{name}={value}" for name, value in values.items())]


def show_asked(workspace: Workspace, run: str, typed: tuple[Any, ...]) -> str:
    """What Apply would change, and its command; nothing where nothing was typed."""
    config, _ = settings_now(workspace, run)
    values = asked_values(config, typed)
    if not values:
        return ""
    changes = ", ".join(f"{name} {getattr(config, name)} → {to}" for name, to in values.items())
    return f'<div class="small">{escape(changes)}</div>{markup.command(set_words(run, values))}'


def show_requests(run: str, waiting: list[Change], training: bool) -> str:
    """What the run has not taken up yet, and how one asks for the rest by command."""
    said = ""
    if waiting:
        when = "With the next batch" if training else "When it goes on"
        texts = "; ".join(f"{change.name} {change.value}" for change in waiting)
        said = f'<div class="small warning">{when}: {escape(texts)}</div>'
    words = (*REQUESTS, "stop") if training else ("resume",)
    commands = "".join(markup.command([word, run]) for word in words)
    return f'{said}<div class="commands">{commands}</div>'


def _lay_out(dial: LiveSetting) -> Any:
    if dial.step is None:
        return gr.Textbox(
            label=dial.label, placeholder="such as color,translation,cutout", min_width=120
        )
    whole = isinstance(getattr(TrainingConfig, dial.name), int)
    precision = 0 if whole else None
    return gr.Number(label=dial.label, step=dial.step, precision=precision, min_width=120)


_NOT_TRAINED = '<p class="quiet">There is no run here whose settings could change.</p>'
