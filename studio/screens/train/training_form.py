"""The form that begins a run: the fields of the action, and settings as its preset has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from studio.actions.declared.training_actions import Train
from studio.runs.config import (
    AUGMENTATION_NAMES,
    TrainingConfig,
    augmentation_names,
    describe_settings,
)
from studio.runs.setting_fields import SettingDescription
from studio.runs.settings import apply_settings, parse_settings
from studio.screens.parts.form import Form, lay_out_field
from studio.training.setup.own_presets import find_preset
from studio.training.setup.presets import NO_PRESET, PRESETS
from studio.training.setup.run_request import RunRequest, choose_settings
from studio.workspace.paths import Workspace
from studio.workspace.records.declarations import Declared

CHOSEN = ""  # Stands for the preset that is chosen where none is named.


class TrainForm(Form[Train]):
    """The fields of `Train` and, beside them, settings that show what the preset says.

    What a preset or the run to go on from says already stays unsaid in the action.

    Attributes:
        settings: the components of settings by their names.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(Train)
        self._workspace = workspace
        self.settings: dict[str, Any] = {}
        self._described = {setting.name: setting for setting in describe_settings()}

    @property
    def inputs(self) -> list[Any]:
        """The components of the action's fields, then those of settings."""
        return [*self.laid.values(), *self.settings.values()]

    def setting(
        self,
        name: str,
        label: str | None = None,
        *,
        choices: Sequence[str] | None = None,
        **look: Any,
    ) -> None:
        """Lay out a setting; see `Form.field`."""
        called = label or name.replace("_", " ").capitalize()
        declared = _declare(self._described[name])
        self.settings[name] = lay_out_field(declared, called, declared.default, {}, choices, **look)

    def as_written(self, *written: Any, **known: Any) -> dict[str, Any]:
        """What was written in the action's fields, without what goes without saying."""
        fields = super().as_written(*written[: len(self.laid)], **known)
        if "branch" in fields or "like" in fields:
            fields.pop("preset", None)
        if fields.get("storage") == "exact" or fields.get("quality") == TrainingConfig.quality:
            fields.pop("quality", None)
        return fields

    def base(self, *values: Any) -> TrainingConfig:
        """The settings that hold where the form says nothing else: the origin's, or a preset's.

        Raises:
            StudioError: no such origin, or none that fits.
        """
        fields = self.as_written(*values)
        origin = {name: fields.get(name) for name in ("branch", "init_from", "like")}
        if "dataset" not in fields and not any(origin.values()):
            return preset_config(self._workspace, fields.get("preset", CHOSEN))
        named = {name: fields.get(name) for name in ("dataset", "preset", "device")}
        return choose_settings(
            self._workspace, RunRequest(config=None, settings={}, **named, **origin)
        )

    def values(self, *written: Any, **known: Any) -> dict[str, Any]:
        """The fields of the action; settings are those that differ from the base, then others.

        Raises:
            StudioError: no such origin, or a setting that cannot be read.
        """
        fields = self.as_written(*written)
        others = parse_settings(fields.pop("settings", []))
        settings = zip(self.settings, written[len(self.laid) :], strict=True)
        named = apply_settings({}, others)
        shown = {name: v for name, v in settings if v is not None and name not in named}
        changed = changed_settings(self.base(*written), shown)
        if "batches" in changed:
            fields["batches"] = changed.pop("batches")
        if changed.pop("fit_memory", False):
            fields["batch_size"] = "auto"
        elif "batch_size" in changed:
            fields["batch_size"] = changed.pop("batch_size")
        return {**fields, "settings": changed | others, **known}


def changed_settings(base: TrainingConfig, shown: dict[str, Any]) -> dict[str, Any]:
    """The settings that are shown otherwise than in a configuration."""
    typed = {name: _typed(getattr(base, name), value) for name, value in shown.items()}
    return {name: value for name, value in typed.items() if value != getattr(base, name)}


def preset_config(workspace: Workspace, preset: str) -> TrainingConfig:
    """The settings that a preset stands for; before one can be chosen, those of the first.

    Raises:
        StudioError: there is no such preset.
    """
    settings = find_preset(workspace, preset or next(iter(PRESETS)))
    return TrainingConfig.from_dict(settings)


def describe_preset(preset: str) -> str:
    """What a preset is good for, in a sentence; nothing of one that is yet to be chosen."""
    if preset == NO_PRESET:
        return "Every setting has its default."
    if preset and preset not in PRESETS:
        return "A preset of your own."
    return PRESETS[preset].description if preset else ""


def shown_values(config: TrainingConfig, names: list[str]) -> list[Any]:
    """Settings as the fields of the form show them."""
    values = asdict(config)
    values["augmentation"] = augmentation_names(values["augmentation"])
    return [values[name] for name in names]


def _typed(base: Any, value: Any) -> Any:
    """The value of a component as the setting has it."""
    if isinstance(value, (list, tuple)):
        return ",".join(name for name in AUGMENTATION_NAMES if name in value)
    return type(base)(value)


def _declare(setting: SettingDescription) -> Declared:
    """A setting as forms lay out declared fields."""
    kinds: dict[type, Any] = {bool: "flag", int: "whole", float: "number"}
    several = setting.name == "augmentation"
    return Declared(
        name=setting.name,
        kind="choice" if setting.choices else kinds.get(setting.type, "text"),
        help=setting.help,
        default=augmentation_names(setting.default) if several else setting.default,
        required=False,
        many="commas" if several else None,
        choices=AUGMENTATION_NAMES if several else setting.choices,
        unit=setting.unit,
        minimum=setting.minimum,
        maximum=setting.maximum,
    )
