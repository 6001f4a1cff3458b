"""What every action takes and gives back, as JSON Schema: for endpoints, tools and the docs."""

from __future__ import annotations

import inspect
from typing import Any

from studio.actions.action import Action, Result
from studio.actions.catalogue import known_actions
from studio.workspace.record import DETAILS


def describe_actions() -> dict[str, dict[str, Any]]:
    """Every action by its name, as `describe_action` describes it."""
    return {name: describe_action(action) for name, action in known_actions().items()}


def describe_action(action: type[Action]) -> dict[str, Any]:
    """One action.

    Returns:
        Its `summary` and `help`, its `section`, whether it `is_job` and `is_remote`, its
        `python_name`, and JSON Schemas of its `input` and its `result`.
    """
    return {
        "summary": action.summary(),
        "help": inspect.cleandoc(action.__doc__ or ""),
        "section": action.section,
        "is_job": action.is_job,
        "is_remote": action.is_remote,
        "python_name": action.python_name(),
        "input": _schema(action),
        "result": _schema(action.result_type()),
    }


def _schema(record: type[Action] | type[Result]) -> dict[str, Any]:
    """The JSON Schema of a record, without what only other faces need to know."""
    schema = record.model_json_schema()
    for declared in schema.get("properties", {}).values():
        details = declared.pop(DETAILS, {})
        if details.get("unit"):
            declared["unit"] = details["unit"]
    return schema
