"""Typed records: what may be asked for, declared once with help, unit, range and choices.

The command line, the forms, the Python API, the rows of jobs and the tables in the docs are all
read off these declarations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from studio.workspace.errors import StudioError
from studio.workspace.names import (
    require_dataset_name,
    require_path,
    require_run_name,
    require_texts,
)
from studio.workspace.records.declarations import DETAILS, Risk


class InvalidValueError(StudioError, ValueError):
    """Values do not fit their fields.

    Args:
        sentence: names the fields in braces, as in "{fps} 0 is out of range: use 1 or more.", so
            that each face of an action can write their names in its own way.
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(self.spelled({}))

    def __reduce__(self) -> tuple[type[InvalidValueError], tuple[str]]:
        return type(self), (self.sentence,)

    def spelled(self, names: Mapping[str, str]) -> str:
        """The sentence with other names for its fields.

        Example:
            >>> InvalidValueError("{fps} 0 is out of range.").spelled({"fps": "--fps"})
            '--fps 0 is out of range.'
        """
        return re.sub(r"\{(\w+)\}", lambda field: names.get(field[1], field[1]), self.sentence)


class DeclaredRecord(BaseModel):
    """A frozen record whose fields are declared with `option`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """A record from values as a person, a form or JSON gives them.

        Raises:
            InvalidValueError: a value is missing, unknown, or does not fit.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _explain(cls, error) from None

    def given(self) -> dict[str, Any]:
        """The fields that differ from their defaults, each as JSON, which is as one writes it."""
        written = self.model_dump(mode="json")
        fields = type(self).model_fields
        return {
            name: value
            for name, value in written.items()
            if fields[name].is_required() or getattr(self, name) != fields[name].get_default()
        }


class AskedRecord(DeclaredRecord):
    """A record that comes from outside: its texts and numbers are bounded before they are read."""

    @field_validator("*", mode="before")
    @classmethod
    def _require_texts(cls, value: Any) -> Any:
        require_texts(value)
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _require_read(cls, value: Any) -> Any:
        """Look again at what texts were read as: a path, or a number with too many digits."""
        require_texts(value)
        return require_path(value) if isinstance(value, Path) else value


def option(
    default: Any = ...,
    help: str = "",
    *,
    unit: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    flag: str = "",
    short: str = "",
    switches: Mapping[str, tuple[str, str]] | None = None,
    argument: bool = False,
    repeated: bool = False,
    metavar: str = "",
    example: str = "",
    section: str = "",
    check: Callable[[str], str] | None = None,
    risk: Risk = "",
) -> Any:
    """Declare a field of a record.

    Args:
        default: required where there is none.
        help: what the value means, as a short phrase that ends in a full stop.
        unit: what the number counts.
        ge, gt, le: the least value, the value that it exceeds, and the greatest.
        flag, short, switches, argument, section, risk: see `Declared`.
        repeated: several values are given by repeating the option.
        metavar: what stands for the value in help.
        example: what a form shows while the field is empty.
        check: a validator of `studio.workspace.names` for the field's text.
    """
    details: dict[str, Any] = {
        "unit": unit,
        "flag": flag,
        "short": short,
        "switches": dict(switches or {}),
        "argument": argument,
        "repeated": repeated,
        "metavar": metavar,
        "example": example,
        "section": section,
        "risk": risk,
    }
    field = Field(
        default, description=help, ge=ge, gt=gt, le=le, json_schema_extra={DETAILS: details}
    )
    if check is not None:
        field.metadata.append(AfterValidator(lambda text: text if text is None else check(text)))
    return field


def run_name() -> Any:
    """Declare the field of a run that is there, as the first word of a command."""
    return option(
        help="Name of a run: studio runs", argument=True, metavar="RUN", check=require_run_name
    )


def new_run_name() -> Any:
    """Declare the field of a run that is to be made."""
    return option(help="Name of the new run.", metavar="NAME", check=require_run_name)


def new_dataset_name(default: Any = ..., help: str = "Name of the new dataset.") -> Any:
    """Declare the field of a dataset that is to be made."""
    return option(default, help, check=require_dataset_name)


def device_option(section: str = "") -> Any:
    """Declare the field of the device that an action computes on."""
    return option(
        None,
        "Such as cuda:1 or cpu; by default a GPU that nobody works on, if there is one.",
        metavar="DEVICE",
        section=section,
    )


def _explain(record: type[DeclaredRecord], error: ValidationError) -> InvalidValueError:
    """The first fault of a record in a sentence."""
    first = error.errors(include_url=False)[0]
    name, given, kind = str(first["loc"][0]), first.get("input"), first["type"]
    context = first.get("ctx", {})
    if isinstance(raised := context.get("error"), ValueError):
        return InvalidValueError(f"{{{name}}} cannot be read: {raised}")
    if kind == "missing":
        meaning = record.model_fields[name].description or ""
        return InvalidValueError(f"{{{name}}} is missing. {meaning}".strip())
    if kind == "extra_forbidden":
        close = get_close_matches(name, record.model_fields, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        return InvalidValueError(f"{{{name}}} is not known here.{hint}")
    return InvalidValueError(f"{{{name}}} {_problem(kind, given, context)}")


def _problem(kind: str, given: Any, context: Mapping[str, Any]) -> str:
    limits = {
        "greater_than_equal": "{ge} or more",
        "greater_than": "more than {gt}",
        "less_than_equal": "{le} or less",
        "less_than": "less than {lt}",
    }
    if kind in limits:
        return f"{given} is out of range: use {limits[kind].format(**context)}."
    if kind == "literal_error":
        return f"'{given}' is not known. Use {context['expected']}."
    wanted = {
        "int": "a whole number",
        "float": "a number",
        "finite": "a finite number",
        "bool": "true or false",
        "string": "a text",
        "tuple": "a list",
        "path": "a path",
        "dict": "a table",
    }
    return f"'{given}' will not do: it is {wanted.get(kind.split('_')[0], 'another type')}."
