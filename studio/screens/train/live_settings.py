"""A panel of the tab Train: settings that change while a run trains, and their commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import gradio as gr
from markupsafe import Markup, escape

from studio.actions.action import words_of
from studio.actions.declared.run_actions import Set
from studio.runs.changes import REQUESTS, Change, list_changes, settings_at
from studio.runs.config import TrainingConfig
from studio.runs.status import AT_WORK, read_config
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, folded, show_errors
from studio.screens.parts.number_field import NumberField
from studio.workspace.paths import Workspace


class LiveSetting(NamedTuple):
    """A field of the panel; `step` is what an arrow key adds, None where the value is no number."""

    name: str
    label: str
    step: float | None
    placeholder: str = ""


LIVE_SETTINGS = (
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
    LiveSetting("weight_cap", "Weight cap", 1),
    LiveSetting("independent_decay", "Decay", 1e-5),
    LiveSetting("reject_updates", "Reject updates", None),
    LiveSetting("augmentation", "Augmentation", None, "such as color,translation,cutout"),
    LiveSetting("planned_changes", "Planned changes", None, "such as weight_decay=0@5000"),
)
COLUMNS = 4


class ControlsPanel:
    """Fields whose values change the chosen run at Enter or Apply, now or when it goes on."""

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
        app.keep_current(tab, self._refresh, seen, outputs, clock=True)
        is_open.change(show_errors(self._refresh), [app.run, *seen], outputs, **EVENT_DEFAULTS)
        typed = [app.run, *self._fields]
        gr.on(
            [field.change for field in self._fields],
            self._show_asked,
            typed,
            self._asked,
            **EVENT_DEFAULTS,
        )
        gr.on(
            [apply.click, *[f.submit for f in self._fields if not isinstance(f, gr.Checkbox)]],
            show_errors(self._apply),
            typed,
            self._asked,
            **EVENT_DEFAULTS,
        )

    def _lay_out_fields(self) -> list[Any]:
        fields: list[Any] = []
        for first in range(0, len(LIVE_SETTINGS), COLUMNS):
            with gr.Row():
                fields += [_lay_out(setting) for setting in LIVE_SETTINGS[first : first + COLUMNS]]
        return fields

    def _refresh(self, run: str | None, is_open: bool, shown: list[Any] | None) -> Any:
        """A field changes only when its setting does, so that nobody's typing is lost."""
        workspace = self._app.workspace
        if not is_open:
            return [gr.skip()] * (len(LIVE_SETTINGS) + 2)
        if run is None or not workspace.run_config(run).exists():
            return _NOT_TRAINED, None, *[gr.skip()] * len(LIVE_SETTINGS)
        config, waiting = settings_now(workspace, run)
        now = [run, *(getattr(config, setting.name) for setting in LIVE_SETTINGS)]
        before = shown if shown and shown[0] == run else [None] * len(now)
        fields = [
            gr.skip() if value == was else gr.update(value=value)
            for value, was in zip(now[1:], before[1:], strict=True)
        ]
        training = self._app.run_cache.summary(run).status in AT_WORK
        return show_requests(run, waiting, training), now, *fields

    def _show_asked(self, run: str | None, *typed: Any) -> Markup:
        if run is None or not self._app.workspace.run_config(run).exists():
            return markup.NOTHING
        return show_asked(self._app.workspace, run, typed)

    def _apply(self, run: str, *typed: Any) -> Markup:
        values = asked_values(settings_now(self._app.workspace, run)[0], typed)
        if not values:
            gr.Info("Nothing to change: every field has the value that is in force.")
            return markup.NOTHING
        said = self._app.perform(Set(run=run, settings=values))
        gr.Info(escape(f"Changing {run}: {' '.join(map(str, said.tell()))}"))
        return self._show_asked(run, *typed)


def settings_now(workspace: Workspace, run: str) -> tuple[TrainingConfig, list[Change]]:
    """The settings that are in force, and the changes that the run has yet to take up.

    Raises:
        StudioError: the run was not trained here, or its settings cannot be read.
    """
    changes = [c for c in list_changes(workspace, run) if c.name not in REQUESTS]
    taken = [change for change in changes if change.batch is not None]
    waiting = [change for change in changes if change.batch is None]
    return settings_at(read_config(workspace, run), taken, None), waiting


def asked_values(config: TrainingConfig, typed: tuple[Any, ...]) -> dict[str, Any]:
    """The settings by name whose fields differ from what is in force.

    Args:
        config: the settings in force.
        typed: the values of the fields, in the order of LIVE_SETTINGS; None for an empty number.
    """
    values = {}
    for setting, value in zip(LIVE_SETTINGS, typed, strict=True):
        now = getattr(config, setting.name)
        if value is not None and value != now:
            values[setting.name] = type(now)(value)
    return values


def set_words(run: str, values: Mapping[str, Any]) -> list[str]:
    """The command that gives settings of a run these values."""
    return words_of(Set(run=run, settings=dict(values)))


def show_asked(workspace: Workspace, run: str, typed: tuple[Any, ...]) -> Markup:
    """What Apply would change, and its command; nothing where nothing was typed.

    Args:
        typed: see `asked_values`.
    """
    config, _ = settings_now(workspace, run)
    values = asked_values(config, typed)
    if not values:
        return markup.NOTHING
    changes = ", ".join(f"{name} {getattr(config, name)} → {to}" for name, to in values.items())
    return markup.note(changes, "") + markup.command(set_words(run, values))


def show_requests(run: str, waiting: list[Change], training: bool) -> Markup:
    """The changes that a run has yet to take up, and the commands that steer it.

    Args:
        training: whether the run is at work.
    """
    said = markup.NOTHING
    if waiting:
        when = "With the next batch" if training else "When it goes on"
        texts = "; ".join(f"{change.name} {change.value}" for change in waiting)
        said = markup.note(f"{when}: {texts}", "warning")
    words = (*REQUESTS, "stop") if training else ("resume",)
    commands = markup.join(markup.command([word, run]) for word in words)
    return said + Markup('<div class="commands">{}</div>').format(commands)


def _lay_out(setting: LiveSetting) -> Any:
    if isinstance(getattr(TrainingConfig, setting.name), bool):
        return gr.Checkbox(label=setting.label, min_width=120)
    if setting.step is None:
        return gr.Textbox(label=setting.label, placeholder=setting.placeholder, min_width=120)
    whole = isinstance(getattr(TrainingConfig, setting.name), int)
    precision = 0 if whole else None
    return NumberField(label=setting.label, step=setting.step, precision=precision, min_width=120)


_NOT_TRAINED = markup.paragraph("There is no run here whose settings could change.")
