"""The options of a recipe: declared as settings are, checked before a run is made."""

from __future__ import annotations

import difflib
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

from studio.runs.config import TrainingConfig
from studio.runs.setting_fields import SettingDescription, check_value, describe_field
from studio.workspace.errors import StudioError

Options = TypeVar("Options")


def read_options(options_type: type[Options], config: TrainingConfig) -> Options:
    """The options of a recipe as its own record; what is not named has its default.

    Args:
        options_type: a frozen dataclass whose fields `setting` declares.
        config: its `recipe_options` are read.

    Raises:
        StudioError: an option that the recipe does not have, or a value that does not fit.
    """
    described: Any = options_type  # Dataclasses have no type of their own.
    declared = {entry.name: entry for entry in fields(described)}
    annotations, given = get_type_hints(options_type), config.recipe_options
    for name in given:
        if name not in declared:
            raise StudioError(describe_unknown_option(config.recipe, name, list(declared)))
    try:
        checked = {n: check_value(declared[n], annotations[n], v) for n, v in given.items()}
        return options_type(**checked)
    except StudioError as error:
        raise StudioError(f"recipe_options: {error}") from error


def describe_options(options_type: type[Any]) -> list[SettingDescription]:
    """Every option of a recipe in its order, described for forms, commands and tables."""
    annotations = get_type_hints(options_type)
    return [describe_field(entry, annotations[entry.name]) for entry in fields(options_type)]


def describe_unknown_option(recipe: str, name: str, known: list[str]) -> str:
    """The sentence about an unknown option: the closest known name, or all of them."""
    if not known:
        return (
            f"The recipe '{recipe}' has no options of its own, so none is '{name}'. Leave "
            "recipe_options out."
        )
    closest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"Did you mean {closest[0]}?" if closest else f"Known: {', '.join(known)}."
    return f"The recipe '{recipe}' has no option '{name}'. {advice}"
