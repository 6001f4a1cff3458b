"""The form that begins a run: the fields of the action, and settings as its preset has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr

from studio.actions.declared.training_actions import Train
from studio.datasets.listing import list_datasets, open_dataset
from studio.runs.config import (
    AUGMENTATION_NAMES,
    TrainingConfig,
    augmentation_names,
    describe_settings,
)
from studio.runs.setting_fields import SettingDescription
from studio.runs.settings import RECIPE_OPTIONS, apply_settings, parse_settings, write_setting
from studio.screens.parts.form import Form, lay_out_field
from studio.training.recipes import RECIPES, find_recipe, usual_recipe
from studio.training.recipes.recipe_options import describe_options
from studio.training.setup.own_presets import find_preset
from studio.training.setup.presets import NO_PRESET, PRESETS
from studio.training.setup.run_request import RunRequest, choose_settings
from studio.workspace.paths import Workspace
from studio.workspace.records.declarations import Declared

CHOSEN = ""  # Stands for the preset that is chosen where none is named.
RUN_ORIGINS = ("branch", "init_from", "like")  # Fields that name a run whose settings hold.


class TrainForm(Form[Train]):
    """The fields of `Train` and, beside them, settings that show what the preset says.

    What a preset or the run to go on from says already stays unsaid in the action.

    Attributes:
        settings: the components of settings by their names, then those of the options of each
            recipe, by `option_name`.
        option_groups: what holds the options of a recipe, by its name; shown with the recipe.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(Train)
        self._workspace = workspace
        self.settings: dict[str, Any] = {}
        self.option_groups: dict[str, gr.Column] = {}
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

    def recipe_options(self) -> None:
        """Lay out the options of each recipe that has some, two in a row."""
        for recipe in RECIPES:
            described = [*options_of(recipe).values()]
            if not described:
                continue
            with gr.Column(visible=False, elem_id=f"options-of-{recipe}") as group:
                for start in range(0, len(described), 2):
                    with gr.Row():
                        for option in described[start : start + 2]:
                            self._option(recipe, option)
            self.option_groups[recipe] = group

    def _option(self, recipe: str, option: SettingDescription) -> None:
        called, declared = option.name.replace("_", " ").capitalize(), _declare(option)
        shown = _as_shown(option, option.default)
        self.settings[option_name(recipe, option.name)] = lay_out_field(
            declared, called, shown, {}, None, info=option.help
        )

    def recipe(self, *values: Any) -> str:
        """The recipe that the form shows; empty where it shows none."""
        return str(self._shown(values).get("recipe") or "")

    def _fitting_recipe(self, fields: Mapping[str, Any], *values: Any) -> str:
        """The recipe that is shown, or the usual one where it cannot learn from the dataset."""
        recipe, dataset = self.recipe(*values), fields.get("dataset")
        if not recipe or dataset not in list_datasets(self._workspace):
            return recipe
        kind = open_dataset(self._workspace, str(dataset), kind=None).manifest.kind
        return recipe if find_recipe(recipe).dataset_kind == kind else usual_recipe(kind)

    def _shown(self, values: Sequence[Any]) -> dict[str, Any]:
        """The values of `settings`, by their names."""
        return dict(zip(self.settings, values[len(self.laid) :], strict=True))

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

        Where nothing says how to train, the preset is one of the recipe that is shown.

        Raises:
            StudioError: no such origin, or none that fits.
        """
        fields = self.as_written(*values)
        recipe = self._fitting_recipe(fields, *values) if is_left_open(fields) else ""
        origin = {name: fields.get(name) for name in RUN_ORIGINS}
        if "dataset" not in fields and not any(origin.values()):
            usual = find_recipe(recipe).preset if recipe else None
            return preset_config(self._workspace, fields.get("preset", usual or CHOSEN))
        named = {name: fields.get(name) for name in ("dataset", "preset", "device")}
        settings = {"recipe": recipe} if recipe else {}
        return choose_settings(
            self._workspace, RunRequest(config=None, settings=settings, **named, **origin)
        )

    def values(self, *written: Any, **known: Any) -> dict[str, Any]:
        """The fields of the action; settings are those that differ from the base, then others.

        Raises:
            StudioError: no such origin, or a setting that cannot be read.
        """
        fields = self.as_written(*written)
        others = parse_settings(fields.pop("settings", []))
        named, base = apply_settings({}, others), self.base(*written)
        shown = {name: v for name, v in self._shown(written).items() if v is not None}
        plain = {n: v for n, v in shown.items() if n in self._described and n not in named}
        changed = changed_settings(base, plain)
        if is_left_open(fields) and plain.get("recipe", TrainingConfig.recipe) != (
            TrainingConfig.recipe
        ):
            changed["recipe"] = plain["recipe"]  # The base is that of the recipe already.
        for name in ("recipe", "batches"):
            if name in changed:
                fields[name] = changed.pop(name)
        if changed.pop("fit_memory", False):
            fields["batch_size"] = "auto"
        elif "batch_size" in changed:
            fields["batch_size"] = changed.pop("batch_size")
        recipe = named.get("recipe", shown.get("recipe", base.recipe))
        own = {n: v for n, v in shown.items() if n not in self._described}
        options = changed_options(base, recipe, own, named.get(RECIPE_OPTIONS, {}))
        return {**fields, "settings": changed | options | others, **known}


def is_left_open(fields: Mapping[str, Any]) -> bool:
    """Whether none of the fields of an action says how to train, but perhaps the recipe."""
    return not any(fields.get(name) for name in ("preset", *RUN_ORIGINS))


def option_name(recipe: str, option: str) -> str:
    """The name of the field of an option; recipes may have options of one name."""
    return f"{RECIPE_OPTIONS}.{recipe}.{option}"


def options_of(recipe: str) -> dict[str, SettingDescription]:
    """The options of a recipe by their names; none of one that is not known."""
    if recipe not in RECIPES:
        return {}
    return {option.name: option for option in describe_options(RECIPES[recipe].options_type)}


def changed_options(
    base: TrainingConfig, recipe: str, shown: Mapping[str, Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of a recipe, as settings, that are shown otherwise than in a configuration.

    Args:
        shown: values by `option_name`.
        named: options that are said elsewhere, by name.
    """
    held = base.recipe_options if base.recipe == recipe else {}
    changed = {}
    for name, option in options_of(recipe).items():
        value = shown.get(option_name(recipe, name))
        is_empty = value is None or (value == "" and option.type is not str)
        if is_empty or name in named:
            continue
        if value != _as_shown(option, held.get(name, option.default)):
            changed[f"{RECIPE_OPTIONS}.{name}"] = _as_given(option, value)
    return changed


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
    for recipe in RECIPES:
        held = config.recipe_options if config.recipe == recipe else {}
        for name, option in options_of(recipe).items():
            shown = _as_shown(option, held.get(name, option.default))
            values[option_name(recipe, name)] = shown
    return [values[name] for name in names]


def _as_shown(option: SettingDescription, value: Any) -> Any:
    """The value of an option as its field shows it: pairs and tables as one writes them."""
    return write_setting("", value).removeprefix("=") if option.type in (tuple, dict) else value


def _as_given(option: SettingDescription, value: Any) -> Any:
    """The value of a field as the option has it.

    Raises:
        StudioError: it cannot be read.
    """
    if option.type in (tuple, dict):
        return parse_settings([f"{option.name}={value}"])[option.name]
    return option.type(value)


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
