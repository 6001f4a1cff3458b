"""What every action takes and gives back, as JSON Schema: for endpoints, tools and the docs."""

from __future__ import annotations

import inspect
from typing import Any

from studio.actions.action import Action, Result
from studio.actions.catalogue import known_actions
from studio.actions.job_options import JobOptions
from studio.workspace.records.declarations import DETAILS, Declared, declared_fields


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


def describe_parameters(action: type[Action]) -> dict[str, Any]:
    """What an endpoint of an action takes, as JSON Schema; what is required comes first.

    Every default stands for a value that is not given. What a person writes as text, such as 200GB
    or 85m or A,B, may be text here too. A job takes when it may begin besides.
    """
    records = (action, JobOptions) if action.is_job else (action,)
    properties: dict[str, Any] = {}
    for record in records:
        described = record.model_json_schema()["properties"]
        for field in sorted(declared_fields(record), key=lambda field: not field.required):
            properties.setdefault(field.name, _as_parameter(described[field.name], field))
    required = [field.name for field in action.fields() if field.required]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _as_parameter(declared: dict[str, Any], field: Declared) -> dict[str, Any]:
    """The schema of one value, with text allowed where a person writes text."""
    kept = {
        name: value
        for name, value in declared.items()
        if name not in ("title", "description", DETAILS)
    }
    types = kept.pop("anyOf", None) or [
        {name: kept.pop(name) for name in list(kept) if name != "default"}
    ]
    is_written = (field.kind == "text" and not field.many) or field.many == "commas"
    if is_written and not any(each.get("type") == "string" for each in types):
        types = [{"type": "string"}, *types]
    shown = types[0] if len(types) == 1 else {"anyOf": types}
    unit = f" In {field.unit}." if field.unit else ""
    return {**shown, **kept, "description": f"{field.help}{unit}"}


def _schema(record: type[Action] | type[Result]) -> dict[str, Any]:
    """The JSON Schema of a record, without what only other faces need to know."""
    schema = record.model_json_schema()
    for declared in schema.get("properties", {}).values():
        details = declared.pop(DETAILS, {})
        if details.get("unit"):
            declared["unit"] = details["unit"]
    return schema
