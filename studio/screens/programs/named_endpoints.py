"""Endpoints of the page for `gradio_client`, one for each action, typed by its declaration."""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.components.api_component import Api

from studio.actions.output import write_json
from studio.screens.programs.endpoint import Answer, Endpoint
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.names import printable

WORKING, WAITING = "programs", "programs that wait"
AT_WORK, AT_WAIT = 4, 32  # Requests of either kind that are worked on at the same time.
ANSWERED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "json": {"type": "string"},
        "pictures": {"type": "array", "items": {"type": "string"}},
    },
}


def add_endpoints(endpoints: Sequence[Endpoint]) -> None:
    """Give the page that is being built an endpoint for each action; nobody sees anything of it.

    Values are read by the action, and not by components. Endpoints share the components of values
    that are declared alike, so that the page does not grow by a thousand of them.
    """
    shared: dict[str, Api] = {}

    def component(schema: dict[str, Any], default: Any = None) -> Api:
        key = json.dumps([schema, default], sort_keys=True)
        if key not in shared:
            # What the client shows of a value beside its type; the page shows nothing of it.
            said = {"additional_description": schema.get("description", "")}
            kept = {name: each for name, each in schema.items() if name != "description"}
            shared[key] = Api(default, {**kept, **said}, "value")
        return shared[key]

    with gr.Column(visible=False):
        asked = gr.HTML()
        for endpoint in endpoints:
            described = endpoint.parameters()
            required = set(described["required"])
            inputs = [
                component(schema, None if name in required else schema.get("default"))
                for name, schema in described["properties"].items()
            ]
            waits = endpoint.action.waits
            asked.click(
                make_function(endpoint, list(described["properties"]), required),
                inputs,
                component(ANSWERED),
                api_name=endpoint.name,
                api_description=endpoint.description,
                api_visibility="public",
                preprocess=False,
                postprocess=False,
                show_progress="hidden",
                show_progress_on=[],
                concurrency_id=WAITING if waits else WORKING,
                concurrency_limit=AT_WAIT if waits else AT_WORK,
            )


def make_function(
    endpoint: Endpoint, names: Sequence[str], required: set[str]
) -> Callable[..., dict[str, Any]]:
    """The function behind an endpoint, with the names of its values as its parameters."""

    def ask(*values: Any) -> dict[str, Any]:
        try:
            return _as_json(endpoint.answer(dict(zip(names, values, strict=True))))
        except EXPECTED_ERRORS as error:
            raise gr.Error(printable(explain(error)), print_exception=False) from error

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    defaults = {name: inspect.Parameter.empty if name in required else None for name in names}
    parameters = [inspect.Parameter(name, kind, default=defaults[name]) for name in names]
    ask.__name__ = endpoint.name
    ask.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return ask


def _as_json(answer: Answer) -> dict[str, Any]:
    """An answer for `gradio_client`; its pictures are addresses that hold their bytes.

    The document stays text: the client would take whatever has a `path` in it for a file, and put
    a copy of the file in its place.
    """
    pictures = [
        f"data:{picture.kind};base64,{base64.b64encode(picture.content).decode()}"
        for picture in answer.pictures
    ]
    return {"text": answer.text, "json": write_json(answer.document), "pictures": pictures}
