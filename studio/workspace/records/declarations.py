"""Declared fields of records: how a value is written, and what each face needs to know of it."""

from __future__ import annotations

import csv
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, PlainSerializer
from pydantic.fields import FieldInfo

from studio.workspace.records.quantities import (
    parse_bytes,
    parse_duration,
    parse_moment,
    write_bytes,
    write_duration,
    write_moment,
)

DETAILS = "declared"  # the key of what pydantic has no word for, in a field's `json_schema_extra`


# A risk is what a value may name besides itself: a program that is run, a machine that is called,
# a class of which the module is imported, or a file where most values are no files; the points of
# an expression may be files each. A path with the risk `hub` may name a repository of the Hub.
Risk = Literal["", "command", "address", "class", "path", "expression", "hub"]
NAMES_FILES = ("path", "expression", "hub")  # Risks of what can only be read.


def is_risky(risk: str, value: Any) -> bool:
    """Whether a value of a field with a risk may run code here, or reach another machine.

    Example:
        >>> is_risky("class", "dcgan"), is_risky("class", "module:Class"), is_risky("command", "ls")
        (False, True, True)
    """
    if risk == "class":
        return ":" in str(value or "")
    return risk in ("command", "address") and bool(value)


@dataclass(frozen=True)
class Written:
    """How a value is written that is no plain number or text, such as 200GB."""

    metavar: str
    example: str


@dataclass(frozen=True)
class Declared:
    """One field of a record, as its faces need it.

    Attributes:
        kind: of each value: flag, choice, whole, number, path or text.
        many: how several values are written: between commas, by repeating the option, or as
            further words; None where there is one value.
        required: there is no default.
        flag: the option's name on the command line.
        short: a one-letter option beside it.
        switches: value -> the option that stands for it, and its help. Where all values of a
            choice but its first have one, the choice has no option of its own.
        argument: a word of the command rather than an option.
        section: heading in the command's help.
        risk: what the value may name that only the owner of the workspace may ask for.
    """

    name: str
    kind: Literal["flag", "choice", "whole", "number", "path", "text"]
    help: str
    default: Any
    required: bool
    many: Literal["commas", "repeated", "words"] | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    metavar: str = ""
    example: str = ""
    flag: str = ""
    short: str = ""
    switches: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    argument: bool = False
    section: str = ""
    risk: Risk = ""

    @property
    def is_switched(self) -> bool:
        """Whether its switches are all that can be written of it."""
        return bool(self.switches) and len(self.switches) >= len(self.choices) - 1

    @property
    def shortest_flag(self) -> str:
        """The option as commands and messages write it."""
        return self.short or self.flag

    @property
    def no_flag(self) -> str:
        """The option that turns a flag off."""
        return self.flag.replace("--", "--no-", 1)

    @property
    def placeholder(self) -> str:
        """A name in capitals that stands for a value which is still missing."""
        return self.metavar or self.name.upper()


def declared_fields(record: type[BaseModel]) -> list[Declared]:
    """The fields of a record: arguments, then options of its own, then those under a heading."""
    found = [_describe(name, info) for name, info in record.model_fields.items()]
    return sorted(found, key=lambda field: (not field.argument, bool(field.section)))


def split_commas(value: Any) -> Any:
    """The words of a text between commas; anything else as it is.

    A word with a comma in it stands between quotation marks, as in CSV.

    Raises:
        ValueError: one of the words is empty, or a quotation mark is not closed.

    Example:
        >>> split_commas('seed:1, "a,b.jpg"')
        ('seed:1', 'a,b.jpg')
    """
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in _split_quoted(value)]
    if value.strip() and not all(parts):
        raise ValueError(f"'{value}' has an empty place between two commas.")
    return tuple(part for part in parts if part)


def join_commas(words: Iterable[str]) -> str:
    """The text that `split_commas` reads as these words.

    Example:
        >>> join_commas(["seed:1", "a,b.jpg"])
        'seed:1,"a,b.jpg"'
    """
    return ",".join(word if {*word}.isdisjoint(',"') else _quote(word) for word in words)


def _quote(word: str) -> str:
    doubled = word.replace('"', '""')
    return f'"{doubled}"'


def _split_quoted(text: str) -> list[str]:
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error:
        raise ValueError(
            f"'{text}' cannot be split at its commas. Write a name that has a comma, and no "
            'other, between quotation marks: "a,b.jpg".'
        ) from None


def parse_share(value: Any) -> Any:
    """A share as 5% or 0.05.

    Raises:
        ValueError: it is not above 0 and up to 1.
    """
    text = str(value)
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise ValueError(f"'{text}' is no share. Write it as 5% or 0.05.")
    return share


def _parse_if_text(parse: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


Commas = Annotated[tuple[str, ...], BeforeValidator(split_commas), Written("A,B,...", "")]
SizeBytes = Annotated[
    int,
    _parse_if_text(parse_bytes),
    PlainSerializer(write_bytes, return_type=str, when_used="json"),
    Written("SIZE", "200GB"),
]
DurationS = Annotated[
    float,
    _parse_if_text(parse_duration),
    PlainSerializer(write_duration, return_type=str, when_used="json"),
    Written("TIME", "85m"),
]
MomentS = Annotated[
    float,
    _parse_if_text(parse_moment),
    PlainSerializer(write_moment, return_type=str, when_used="json"),
    Written("WHEN", "23:30"),
]
Share = Annotated[float, BeforeValidator(parse_share), Written("SHARE", "5%")]


def _describe(name: str, info: FieldInfo) -> Declared:
    extra = info.json_schema_extra
    details: Any = extra[DETAILS] if isinstance(extra, dict) and DETAILS in extra else {}
    kind, many, choices, written = _read_type(info.annotation, tuple(info.metadata))
    limits = {type(limit).__name__: limit for limit in info.metadata}
    low = limits.get("Ge") or limits.get("Gt")
    high = limits.get("Le")
    several: Literal["commas", "repeated", "words"] | None = None
    if many:
        commas = written is not None and not details.get("repeated")
        several = "words" if details.get("argument") else "commas" if commas else "repeated"
    return Declared(
        name=name,
        kind=kind,
        help=info.description or "",
        default=None if info.is_required() else info.get_default(),
        required=info.is_required(),
        many=several,
        choices=choices,
        unit=details.get("unit", ""),
        minimum=getattr(low, "ge", getattr(low, "gt", None)),
        maximum=getattr(high, "le", None),
        metavar=details.get("metavar") or (written.metavar if written else ""),
        example=details.get("example") or (written.example if written else ""),
        flag=details.get("flag") or "--" + name.replace("_", "-"),
        short=details.get("short", ""),
        switches={value: tuple(said) for value, said in details.get("switches", {}).items()},
        argument=details.get("argument", False),
        section=details.get("section", ""),
        risk=details.get("risk", ""),
    )


def _read_type(
    annotation: Any, metadata: tuple[Any, ...]
) -> tuple[Any, bool, tuple[str, ...], Written | None]:
    """(kind of each value, whether there are several, choices, how it is written)."""
    written = next((note for note in metadata if isinstance(note, Written)), None)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _read_type(inner[0], (*inner[1:], *metadata))
    if origin in (Union, types.UnionType):
        some = next(kind for kind in inner if kind is not type(None))
        return _read_type(some, metadata)
    if origin is tuple:
        return _read_type(inner[0], ())[0], True, (), written
    if origin is Literal:
        return "choice", False, tuple(map(str, inner)), written
    kinds = {bool: "flag", int: "whole", float: "number", Path: "path"}
    kind = "text" if written is not None else kinds.get(annotation, "text")
    return kind, origin is dict, (), written
