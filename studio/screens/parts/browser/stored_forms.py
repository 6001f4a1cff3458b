"""What was written in forms: the browser keeps it, and it is there again when the page opens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.names import require_texts
from studio.workspace.paths import Workspace

MAX_STORED = 200_000  # Characters of all forms of a workspace.


class StoredForms:
    """The forms of a page whose fields the browser keeps.

    What comes back is from outside: a field takes only what could have been written in it.

    Attributes:
        place: the hidden component through which the page sends what was kept.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.place = gr.Textbox(visible="hidden")
        # The same address may serve one workspace after the other.
        mark = hashlib.blake2b(str(workspace.root).encode(), digest_size=8).hexdigest()
        self._key = f"studio-forms-{mark}"
        self._fields: dict[str, list[tuple[Any, Any]]] = {}

    def keep(self, form: str, fields: Sequence[Any], targets: dict[Any, Any] | None = None) -> str:
        """Let the browser keep the fields of a form.

        Args:
            form: a name of its own.
            targets: states that are told what was kept of a field that cannot take it yet.

        Returns:
            The script that keeps the values of the fields, for an event that needs no server.
        """
        self._fields[form] = [(field, (targets or {}).get(field, field)) for field in fields]
        return (
            f"(...values) => studio.keepForm({json.dumps(self._key)}, {json.dumps(form)}, values)"
        )

    @property
    def script(self) -> str:
        """The script that gives what was kept."""
        return f"() => studio.keptForms({json.dumps(self._key)})"

    @property
    def targets(self) -> list[Any]:
        """The components to which `values` gives values."""
        return [target for fields in self._fields.values() for _, target in fields]

    def values(self, text: str) -> list[Any]:
        """The values for `targets`; those stay that were not kept, or do not fit.

        Args:
            text: what the browser kept, from outside.
        """
        stored = _read(text)
        found = []
        for form, fields in self._fields.items():
            values = stored.get(form)
            fits = isinstance(values, list) and len(values) == len(fields)
            for number, (field, target) in enumerate(fields):
                value = values[number] if fits and values else None
                takes = value is not None and (target is not field or _takes(field, value))
                is_state = isinstance(target, gr.State)
                found.append(
                    (value if is_state else gr.update(value=value)) if takes else gr.skip()
                )
        return found


def _read(text: str) -> dict[str, Any]:
    if len(text) > MAX_STORED:
        return {}
    try:
        stored = json.loads(text or "{}")
        require_texts(stored)
    except (ValueError, RecursionError, *EXPECTED_ERRORS):
        return {}
    return stored if isinstance(stored, dict) else {}


def _takes(field: Any, value: Any) -> bool:
    """Whether a value could have been written in a field."""
    kinds = {gr.Checkbox: bool, gr.Textbox: str}
    wanted = next((kind for known, kind in kinds.items() if isinstance(field, known)), None)
    if wanted is not None and not isinstance(value, wanted):
        return False
    try:
        field.preprocess(value)
    except (gr.Error, TypeError, ValueError, KeyError):
        return False
    return True
