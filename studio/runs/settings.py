"""Reads settings that a person writes as NAME=VALUE, and lays them over others.

The grammar is the same wherever settings are written: `studio train --set`, `studio set`, forms,
Python and TOML files. `learning_rate` stands for the rates of G and D; `generator_options.width`
for one option of the generator, while `generator_options` replaces all of them; `recipe_options`
are written in the same way. What is planned is written NAME=VALUE@BATCH.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from studio.workspace.errors import StudioError

BOTH_RATES = ("learning_rate_g", "learning_rate_d")
ALIASES = {"learning_rate": BOTH_RATES}
OPTIONS = "generator_options"
RECIPE_OPTIONS = "recipe_options"
OF_OTHERS = {"generator": OPTIONS, "recipe": RECIPE_OPTIONS}  # Whose options stand in which table.
SIZES = ("z_dim", "image_size")  # Settings of their own, though each is an option of a generator.
VALUES = (bool, int, float, str, list, dict)
PLANNED = "planned_changes"  # The setting that says what changes at which batch.
MAX_PLANNED = 100


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Settings by name, with each value read as TOML or JSON; what is neither is a text.

    Raises:
        StudioError: a setting is no text with an equals sign.

    Example:
        >>> parse_settings(["learning_rate=1e-5", "augmentation=color,cutout"])
        {'learning_rate': 1e-05, 'augmentation': 'color,cutout'}
        >>> parse_settings(["generator_options.width=0.5", 'generator_options={"width": 0.5}'])
        {'generator_options.width': 0.5, 'generator_options': {'width': 0.5}}
    """
    values: dict[str, Any] = {}
    if not isinstance(settings, list | tuple) or not all(isinstance(s, str) for s in settings):
        raise StudioError(f"{settings!r} are no settings. Use NAME=VALUE, or a table of them.")
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise StudioError(f"'{setting}' is no setting. Use NAME=VALUE.")
        values[name.strip()] = _read_value(text.strip())
    return values


def apply_settings(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their own names, with those that a person gave over the others.

    Another generator leaves the options of the one before behind, and another recipe does. A name
    that says more wins over one that says less, in whatever order they stand.

    Raises:
        StudioError: an option of the generator has another value than the setting of its name.

    Example:
        >>> base = {"learning_rate_g": 1.0, "generator_options": {"width": 0.5, "deep": True}}
        >>> given = {"learning_rate": 2.0, "generator_options": {"width": 1, "z_dim": 9}}
        >>> apply_settings(base, given) == {
        ...     "learning_rate_g": 2.0,
        ...     "learning_rate_d": 2.0,
        ...     "generator_options": {"width": 1},
        ...     "z_dim": 9,
        ... }
        True
    """
    values = dict(base)
    for owner, table in OF_OTHERS.items():
        if given.get(owner, values.get(owner)) != values.get(owner):
            values.pop(table, None)
    for name in sorted(given, key=_precision):
        table, dot, key = name.partition(".")
        if dot:
            before = values.get(table)
            values[table] = {**(before if isinstance(before, Mapping) else {}), key: given[name]}
        else:
            values |= dict.fromkeys(ALIASES.get(name, (name,)), given[name])
    return _lift_sizes(values, given)


@dataclass(frozen=True)
class PlannedChange:
    """A setting that gets another value with a batch, counted from 1."""

    name: str
    value: Any
    batch: int

    def __str__(self) -> str:
        return f"{write_setting(self.name, self.value)}@{self.batch}"


@lru_cache(maxsize=64)
def parse_plan(text: str) -> tuple[PlannedChange, ...]:
    """What a text plans, ascending by batch: NAME=VALUE@BATCH, with semicolons between.

    Raises:
        StudioError: a part that is none of that, or too many of them.

    Example:
        >>> [str(change) for change in parse_plan("ema=0.9@20; learning_rate=1e-5@10")]
        ['learning_rate_g=1e-05@10', 'learning_rate_d=1e-05@10', 'ema=0.9@20']
    """
    planned = []
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if len(parts) > MAX_PLANNED:
        raise StudioError(f"{PLANNED} has at most {MAX_PLANNED} changes, not {len(parts)}.")
    for part in parts:
        setting, _, batch = part.rpartition("@")
        if not setting or re.fullmatch(r"\s*[0-9]{1,10}", batch) is None:
            raise StudioError(
                f"{PLANNED} is NAME=VALUE@BATCH with semicolons between, such as "
                f"weight_decay=0@5000, not '{part:.80}'."
            )
        given = apply_settings({}, parse_settings([setting]))
        planned += [PlannedChange(name, value, int(batch)) for name, value in given.items()]
    return tuple(sorted(planned, key=lambda change: change.batch))


def write_plan(changes: Iterable[PlannedChange]) -> str:
    """The text that `parse_plan` reads as these changes."""
    return "; ".join(map(str, changes))


def scale_plan(text: str, names: Sequence[str], factor: float, after: int) -> str:
    """A plan whose values of some settings are multiplied by a factor where they are to come.

    Args:
        after: the batch after which they are.
    """
    return write_plan(
        replace(change, value=change.value * factor)
        if change.name in names and change.batch > after
        else change
        for change in parse_plan(text)
    )


def _precision(name: str) -> int:
    """How much a name says: aliases least, one option of several most."""
    return 0 if name in ALIASES else 2 if "." in name else 1


def _lift_sizes(values: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values in which sizes stand as settings of their own, not among the generator's options."""
    options = values.get(OPTIONS)
    if not isinstance(options, Mapping):
        return values
    sizes = {name: options[name] for name in SIZES if name in options}
    for name, size in sizes.items():
        if given.get(name, size) != size:
            raise StudioError(
                f"{name} is {given[name]!r}, and {size!r} in {OPTIONS}. Give one of the two."
            )
    own = {name: option for name, option in options.items() if name not in SIZES}
    return {**values, **sizes, OPTIONS: own}


def _read_value(text: str) -> Any:
    """The value of one setting: TOML, else JSON, else the text itself."""
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # No TOML, or a number of thousands of digits.
        read = {"value": _read_json(text)}
    value = read["value"]
    return value if len(read) == 1 and isinstance(value, VALUES) else text


def _read_json(text: str) -> Any:
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def write_setting(name: str, value: Any) -> str:
    """NAME=VALUE such that `parse_settings` reads the same value.

    Example:
        >>> write_setting("loss", "hinge"), write_setting("generator_options", {"width": 0.5})
        ('loss=hinge', 'generator_options={width = 0.5}')
    """
    if isinstance(value, str) and parse_settings([f"x={value}"]) == {"x": value.strip()}:
        return f"{name}={value.strip()}"
    return f"{name}={_as_toml(value)}"


def _as_toml(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (
            f"{json.dumps(k) if not k.isidentifier() else k} = {_as_toml(v)}"
            for k, v in value.items()
        )
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_as_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
