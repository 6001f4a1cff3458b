"""Tables of the site that are read off declarations: options of actions, training settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from keyword import iskeyword
from typing import Any

from studio.actions.action import Action
from studio.actions.catalogue import known_actions
from studio.runs.config import describe_settings
from studio.runs.setting_fields import SettingDescription
from studio.training.recipes import RECIPES
from studio.training.recipes.recipe_options import describe_options
from studio.workspace.records.declarations import Declared


def make_actions_page() -> str:
    """Every action under its heading in `studio --help`, with what it takes."""
    lines = [
        "# Commands and their options",
        "",
        "Everything that can be done is declared once, as an action. This page, `studio COMMAND "
        "-h`, the forms of the app and the Python methods are all read off these declarations. In "
        "Python, an option is a keyword of the same name, with `_` for `-`. `studio demo` and "
        "`studio app`, which open a workspace to a person, are no actions; `-h` has their options.",
    ]
    actions = list(known_actions().values())
    for section in dict.fromkeys(action.section for action in actions):
        lines += ["", f"## {section or 'Other'}"]
        for action in actions:
            if action.section == section:
                lines += describe_action(action)
    return "\n".join(lines) + "\n"


def describe_action(action: type[Action]) -> list[str]:
    """An action: its name, what it does, how it is written, and a table of its fields."""
    fields = action.fields()
    words = [word_of(field) for field in fields if field.argument or field.required]
    text = [line.strip() for line in (action.__doc__ or "").strip().splitlines()]
    usage = " ".join(["studio", action.command, *words])
    lines = ["", f"### {action.command}", "", *text, ""]
    lines += ["```", usage, "```", "", f"From Python: {spell_call(action)}.", ""]
    if fields:
        rows = [(spell(f), escape_cell(f.help), values_of(f), default_of(f)) for f in fields]
        lines += make_table(("option", "what it means", "values", "default"), rows)
    return lines


def spell_call(action: type[Action]) -> str:
    """How Python calls an action; where its name is a keyword, by the action's class."""
    name = action.python_name()
    if not iskeyword(name):
        return f"`here.{name}(...)`"
    return f"`here.perform({action.__name__}(...))`, where `{action.__module__}` has the class"


def word_of(field: Declared) -> str:
    """A field as usage shows it: in brackets if it may be left out."""
    word = field.metavar or field.name.upper()
    word += " ..." if field.many == "words" else ""
    word = word if field.argument else f"{field.flag} {word}"
    return word if field.required else f"[{word}]"


def spell(field: Declared) -> str:
    """How the field is written on the command line; in Python too, where that differs."""
    if field.argument:
        written = [field.metavar or field.name.upper()]
    else:
        written = [field.flag, *([field.short] if field.short else []), *field.switches.values()]
    spelled = ", ".join(f"`{word}`" for word in written)
    plain = field.flag.removeprefix("--").replace("-", "_") == field.name and not field.argument
    return spelled if plain else f"{spelled} (`{field.name}`)"


def values_of(field: Declared) -> str:
    """What the field takes: choices, a range with its unit, or an example of how it is written."""
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    limits = describe_range(field.minimum, field.maximum, field.unit)
    if limits or field.kind == "flag":
        return limits
    return f"such as `{escape_cell(field.example)}`" if field.example else ""


def describe_range(minimum: float | None, maximum: float | None, unit: str) -> str:
    """A range of numbers in words.

    Example:
        >>> describe_range(1, 64, "px"), describe_range(0, None, ""), describe_range(None, None, "")
        ('1 to 64 px', '0 or more', '')
    """
    low, high = (None if n is None else write_number(n) for n in (minimum, maximum))
    if low and high:
        words = f"{low} to {high}"
    elif low or high:
        words = f"{low} or more" if low else f"up to {high}"
    else:
        words = "in" if unit else ""
    return f"{words} {unit}".strip()


def write_number(number: float) -> str:
    """A number as people read it: whole ones with commas between thousands."""
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def default_of(field: Declared) -> str:
    """The value where nothing is given."""
    return "required" if field.required else write_value(field.default)


def write_value(value: Any) -> str:
    """A default as a person writes it; nothing for none, for no and for empty."""
    if value is None or value is False or value in ("", (), {}):
        return ""
    if value is True:
        return "yes"
    if isinstance(value, (tuple, list)):
        return f"`{','.join(map(str, value))}`"
    if isinstance(value, (int, float)):
        return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
    return f"`{escape_cell(str(value))}`"


def make_settings_page() -> str:
    """The table of training settings."""
    lines = [
        "# Training settings",
        "",
        "Each is set by `--set NAME=VALUE`, in a TOML file that `--config` names, and in a run's "
        "`run.toml`. A *live* setting may change while a run trains: `studio set RUN NAME=VALUE`. "
        "[Training](../training.md) tells what they do.",
        "",
    ]
    lines += tabulate_settings(describe_settings())
    for name, recipe in RECIPES.items():
        options = describe_options(recipe.options_type)
        if options:
            lines += ["", f"## Options of the recipe {name}", ""]
            lines += ["Each is set by `--set recipe_options.NAME=VALUE`.", ""]
            lines += tabulate_settings(options)
    return "\n".join(lines) + "\n"


def tabulate_settings(settings: Sequence[SettingDescription]) -> list[str]:
    """A table of settings, one a line."""
    rows = [
        (
            f"`{setting.name}`",
            escape_cell(setting.help),
            ", ".join(f"`{choice}`" for choice in setting.choices)
            or describe_range(setting.minimum, setting.maximum, setting.unit),
            write_value(setting.default),
            "live" if setting.live else "",
        )
        for setting in settings
    ]
    return make_table(("setting", "what it means", "values", "default", ""), rows)


def make_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def escape_cell(text: str) -> str:
    """A sentence as a cell of a table in Markdown."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
