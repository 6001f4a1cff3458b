"""Forms of actions: a field for what an action declares, and the action from what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import gradio as gr
from markupsafe import Markup

from renderers.frames.devices import known_devices
from studio.actions.action import Action, spell_command, words_of
from studio.screens.parts import markup
from studio.screens.parts.number_field import NumberField
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.records.declarations import Declared
from studio.workspace.records.record import InvalidValueError

FREE_DEVICE = "one that is free"
WIDTH = 110  # The least width of a field in pixels, so that two of them fit beside each other.
Asked = TypeVar("Asked", bound=Action)


class Form(Generic[Asked]):
    """The fields of an action on a page.

    A screen says where each field lies and what it is called; the declaration of the action says
    what it takes, and reads and refuses what was written.

    Attributes:
        laid: the components by the names of their fields.
    """

    def __init__(self, action: type[Asked]) -> None:
        self.action = action
        self.laid: dict[str, Any] = {}
        self._labels: dict[str, str] = {}
        self._declared = {field.name: field for field in action.fields()}

    @property
    def inputs(self) -> list[Any]:
        """The components in the order in which `read` and `preview` take their values."""
        return list(self.laid.values())

    def field(
        self,
        name: str,
        label: str | None = None,
        *,
        value: Any = None,
        names: Mapping[str, str] | None = None,
        choices: Sequence[str] | None = None,
        **look: Any,
    ) -> None:
        """Lay one field out here.

        Args:
            label: what it is called; made of its name by default.
            value: what it shows to begin with; its default where None.
            names: what choices are called.
            choices: what a text may be, for texts whose choices are known only now.
            look: further properties of the component, such as `visible`; with `radio`, choices
                lie side by side.
        """
        declared = self._declared[name]
        self._labels[name] = label or name.replace("_", " ").capitalize()
        shown = declared.default if value is None else value
        self.laid[name] = lay_out_field(
            declared, self._labels[name], shown, names or {}, choices, **look
        )

    def device(self) -> None:
        """Lay out the field of the device, where this machine leaves a choice."""
        if len(devices := known_devices()) > 1:
            self.field("device", value="", choices=["", *devices], names={"": FREE_DEVICE})

    def rest(self, *left_out: str) -> None:
        """Lay out all fields that do not lie anywhere yet, two in a row, each with its help."""
        waiting = [name for name in self._declared if name not in {*self.laid, *left_out}]
        for start in range(0, len(waiting), 2):
            with gr.Row():
                for name in waiting[start : start + 2]:
                    self.field(name, info=self._declared[name].help)

    def values(self, *written: Any, **known: Any) -> dict[str, Any]:
        """The fields of the action, for `read`; see `as_written` for the arguments.

        Raises:
            StudioError: what was written cannot be read.
        """
        return self.as_written(*written, **known)

    def as_written(self, *written: Any, **known: Any) -> dict[str, Any]:
        """What was written, by the names of the fields; empty fields are left out.

        Args:
            written: the values of `inputs`.
            known: further fields.
        """
        pairs = {**dict(zip(self.laid, written, strict=True)), **known}
        given = {name: self._as_given(name, value) for name, value in pairs.items()}
        return {name: value for name, value in given.items() if value not in (None, "", [], ())}

    def _as_given(self, name: str, value: Any) -> Any:
        """A text without the spaces around it; its lines where each of them is a value."""
        if not isinstance(value, str):
            return value
        if name in self._declared and self._declared[name].many == "repeated":
            return [line.strip() for line in value.splitlines() if line.strip()]
        return value.strip()

    def read(self, *written: Any, **known: Any) -> Asked:
        """The action that was written.

        Raises:
            StudioError: a value does not fit; the text calls fields as the form does.
        """
        try:
            return self.action.read(self.values(*written, **known))
        except InvalidValueError as error:
            labels = {name: f"'{label}'" for name, label in self._labels.items()}
            raise StudioError(error.spelled(labels)) from error

    def preview(self, *written: Any, **known: Any) -> Markup:
        """The command that does the same, as far as it is written."""
        try:
            return markup.command(words_of(self.read(*written, **known)))
        except EXPECTED_ERRORS:
            given = self.as_written(*written, **known)
            changed = {
                name: value
                for name, value in given.items()
                if self._declared[name].required or value != self._declared[name].default
            }
            return markup.command(spell_command(self.action, changed))


def lay_out_field(
    declared: Declared,
    label: str,
    value: Any,
    names: Mapping[str, str],
    choices: Sequence[str] | None,
    **look: Any,
) -> Any:
    """The component for a declared field.

    Args:
        value: what it shows to begin with.
        names: what choices are called.
        choices: what a text may be, where that is known.
        look: further properties of the component.
    """
    look = {"label": label, "min_width": WIDTH, **look}
    example = look.pop("placeholder", declared.example)
    known = declared.choices if choices is None else choices
    offered = [(names.get(choice, choice.replace("_", " ")), choice) for choice in known]
    if declared.kind == "flag":
        return gr.Checkbox(bool(value), **look)
    if declared.many == "commas":
        shown = list(value or ())
        if declared.choices or names:
            return gr.CheckboxGroup(offered, value=shown, **look)
        return gr.Dropdown(
            offered,
            value=shown,
            multiselect=True,
            allow_custom_value=True,
            interactive=True,
            **look,
        )
    if look.pop("radio", False):
        return gr.Radio(offered, value=value, **look)
    if known or choices is not None:
        return gr.Dropdown(offered, value=value, interactive=True, **look)
    if declared.many == "repeated":
        return gr.Textbox("", placeholder=f"{declared.metavar}, one a line", lines=2, **look)
    if declared.many == "words":
        return gr.Textbox(" ".join(map(str, value or ())), placeholder=example, **look)
    if declared.kind in ("whole", "number"):
        precision = 0 if declared.kind == "whole" else None
        return NumberField(
            value,
            precision=precision,
            minimum=declared.minimum,
            maximum=declared.maximum,
            placeholder=example,
            **look,
        )
    return gr.Textbox("" if value is None else str(value), placeholder=example, **look)
