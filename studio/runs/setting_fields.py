"""How a training setting is declared, described to forms and docs, and checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field
from typing import Any, Literal, get_args, get_origin

from studio.workspace.errors import StudioError
from studio.workspace.names import MAX_WHOLE
from studio.workspace.records.declarations import Risk

MAX_COUNTS = 1024  # Numbers of one option: no network has so many layers.

DECLARED = "setting"  # The key under which a field's metadata holds its Declaration.


@dataclass(frozen=True)
class Declaration:
    """What the metadata of a setting's field says; see `setting`."""

    help: str
    unit: str
    minimum: float | None
    maximum: float | None
    live: bool
    risk: Risk


@dataclass(frozen=True)
class SettingDescription:
    """A training setting as forms, commands and tables show it.

    Attributes:
        name: the name in run.toml and behind `--set`.
        type: bool, int, float, str, tuple (two floats) or dict (names and values).
        default: the value where nothing is given.
        help: one sentence of at most 80 characters.
        unit: the unit of a number, such as "px"; empty for none.
        minimum, maximum: the range of a number, both ends included; None for no limit.
        choices: the allowed texts; empty where any text is allowed.
        live: whether the setting may change while the run trains.
    """

    name: str
    type: type
    default: Any
    help: str
    unit: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    live: bool


def setting(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    unit: str = "",
    live: bool = False,
    risk: Risk = "",
) -> Any:
    """Declare a dataclass field that is a training setting.

    Args:
        default: the value, or a type such as `dict` that is called to make one.
        help: one sentence of at most 80 characters.
        minimum, maximum: the range of a number, both ends included.
        unit: the unit of a number, such as "px"; empty for none.
        live: whether the setting may change while the run trains.
        risk: what a value may name that runs code here; see `Risk` of
            `studio.workspace.records.declarations`.
    """
    metadata = {DECLARED: Declaration(help, unit, minimum, maximum, live, risk)}
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def is_live(entry: Field[Any]) -> bool:
    """Whether the setting of a field may change while the run trains."""
    return _declaration(entry).live


def risk_of(entry: Field[Any]) -> Risk:
    """What a value of a setting may name that runs code here."""
    return _declaration(entry).risk


def describe_field(entry: Field[Any], annotation: Any) -> SettingDescription:
    """The description of a field that `setting` declared.

    Args:
        annotation: the field's type, resolved: bool, int, float, str, Literal, tuple or Mapping.
    """
    declared, origin = _declaration(entry), get_origin(annotation)
    kinds: dict[Any, type] = {Literal: str, tuple: tuple, Mapping: dict}
    default = entry.default
    if default is MISSING and entry.default_factory is not MISSING:
        default = entry.default_factory()
    return SettingDescription(
        entry.name,
        kinds.get(origin, annotation),
        default,
        declared.help,
        declared.unit,
        declared.minimum,
        declared.maximum,
        get_args(annotation) if origin is Literal else (),
        declared.live,
    )


def check_value(entry: Field[Any], annotation: Any, value: Any) -> Any:
    """The value of a setting, as the type that its field is declared with.

    Raises:
        StudioError: a value of another type or out of range; the text names the setting.
    """
    checked, declared = check_type(entry.name, annotation, value), _declaration(entry)
    if declared.minimum is not None and declared.maximum is not None:
        check_range(entry.name, checked, declared.minimum, declared.maximum)
    return checked


def check_type(name: str, annotation: Any, value: Any) -> Any:
    """The value as an annotated type; an int becomes a float, a list a tuple.

    Raises:
        StudioError: a value of another type; the text names the setting.
    """
    if get_origin(annotation) is Literal:
        if value not in get_args(annotation):
            choices = ", ".join(get_args(annotation))
            raise StudioError(f"{name} is one of {choices}, not {value!r:.80}.")
        return value
    if isinstance(value, int) and abs(value) > 2 * MAX_WHOLE:  # Ranges refuse what is less.
        raise StudioError(f"{name} is a number that is too large: write one below 2^63.")
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if get_origin(annotation) is tuple:
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise StudioError(f"{name} is two numbers such as [0.5, 0.999], not {value!r}.")
        return tuple(check_type(name, float, part) for part in value)
    if get_origin(annotation) is Mapping:
        return check_options(name, value)
    if not isinstance(value, annotation) or (annotation is int and isinstance(value, bool)):
        raise StudioError(f"{name} is of type {annotation.__name__}, not {value!r:.80}.")
    return value


def check_options(name: str, value: Any) -> dict[str, Any]:
    """Options of a network as a dict: names, with numbers, texts, booleans or lists of counts.

    Raises:
        StudioError: something else, or an option that is a setting of its own, or no number
            that there is.
    """
    if not isinstance(value, Mapping):
        raise StudioError(f"{name} is a table of names and values, not {value!r}.")
    for option, given in value.items():
        if option in ("z_dim", "image_size"):
            raise StudioError(f"{option} is a setting of its own: move it out of {name}.")
        if not isinstance(option, str) or not option.isidentifier():
            raise StudioError(f"{name} has names such as width, not {option!r}.")
        if isinstance(given, int) and abs(given) > MAX_WHOLE:
            raise StudioError(f"{name}.{option} is a number that is too large.")
        if isinstance(given, float) and not math.isfinite(given):
            raise StudioError(f"{name}.{option} is a finite number, not {given}.")
        if not isinstance(given, (bool, int, float, str)) and not _is_counts(given):
            raise StudioError(
                f"{name}.{option} is a number, a text, true/false or a list of whole numbers, not "
                f"{given!r:.80}."
            )
    return {option: _as_lists(given) for option, given in value.items()}


def _is_counts(value: Any, deep: int = 2) -> bool:
    """Whether a value is a list of whole numbers, or of such lists, none of them too long."""
    if not isinstance(value, list | tuple) or len(value) > MAX_COUNTS or deep == 0:
        return False
    return all(
        abs(each) <= MAX_WHOLE if type(each) is int else _is_counts(each, deep - 1)
        for each in value
    )


def _as_lists(value: Any) -> Any:
    """Lists for tuples, as JSON and TOML give them back."""
    return [*map(_as_lists, value)] if isinstance(value, list | tuple) else value


def check_range(name: str, value: float, minimum: float, maximum: float) -> None:
    """Refuse a number outside a range whose ends are allowed.

    Raises:
        StudioError: NaN, infinity, or a number out of range.
    """
    if not (math.isfinite(value) and minimum <= value <= maximum):
        raise StudioError(f"{name} is from {minimum:g} to {maximum:g}, not {value:g}.")


def format_toml(value: Any) -> str:
    """A bool, number, text or list as TOML writes it.

    Example:
        >>> format_toml((0.5, 0.999)), format_toml(True), format_toml("a")
        ('[0.5, 0.999]', 'true', '"a"')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # JSON leaves DEL as it is, which TOML does not allow.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_toml, value))}]"
    return repr(value)


def _declaration(entry: Field[Any]) -> Declaration:
    declared: Declaration = entry.metadata[DECLARED]
    return declared
