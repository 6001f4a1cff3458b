"""A panel that deletes something, or gives it another name, once it was said what goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup, escape

from studio.actions.action import Action, words_of
from studio.actions.declared.removal_actions import Delete
from studio.actions.registry import find_action
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EACH_TIME,
    EVENT_DEFAULTS,
    AppContext,
    folded,
    show_errors,
)

Make = Callable[..., Action]


class RemovalPanel:
    """Buttons to delete what is chosen and, where that can be, to rename it.

    Deleting says first what will be lost; only pressing a second button, beside those words,
    deletes exactly that. Choosing something else takes the question away.

    Args:
        what: what is chosen, such as "this run".
        chosen: components whose values `delete` and `rename` are called with.
        delete: makes the action that deletes it.
        rename: makes the action that renames it, from the values and the new name; None for what
            keeps its name.
        outputs: components that change when it is gone or has another name.
        follow: gives their values, from the action that was done.
    """

    def __init__(
        self,
        app: AppContext,
        what: str,
        chosen: Sequence[Any],
        delete: Callable[..., Delete],
        rename: Make | None,
        outputs: Sequence[Any],
        follow: Callable[[Action], Sequence[Any]],
    ) -> None:
        self._app, self._delete, self._rename = app, delete, rename
        self._follow, self._unchanged = follow, [gr.skip()] * len(outputs)
        kind = what.rpartition(" ")[2]
        panel, _ = folded(f"Rename or delete {what}" if rename else f"Delete {what}")
        with panel:
            if rename:
                with gr.Group():
                    name = gr.Textbox(label="Its new name")
                    again = gr.Button("Rename", size="md")
            doomed = gr.State()
            ask = gr.Button(f"Delete {what} …", size="md")
            place = markup.pressable(elem_id=f"lose-{kind}")
        asked = [place, doomed]
        ask.click(show_errors(self._ask), list(chosen), asked, **EVENT_DEFAULTS)
        app.on_press(place, self._press, doomed, [*asked, *outputs])
        gr.on(
            [component.change for component in chosen],
            forget_other,
            [doomed, *chosen],
            asked,
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        if rename:
            gr.on(
                [again.click, name.submit],
                show_errors(self._give_name),
                [name, *chosen],
                [name, *outputs],
                **EVENT_DEFAULTS,
            )

    def _ask(self, *values: Any) -> tuple[Markup, Any]:
        """Say what will be lost, and keep what was asked for until it is meant."""
        action = self._app.permissions.check(self._delete(*values))
        question = action.question(self._app.workspace)
        buttons = markup.button("Delete it for good", "delete") + markup.button("Keep it", "keep")
        body = Markup('{}<div class="line" style="margin:8px 0">{}</div>{}').format(
            markup.note(question, "warning"), buttons, markup.command(words_of(action))
        )
        fields = action.model_dump(mode="json")
        return body, {"action": action.command, "fields": fields, "chosen": list(values)}

    def _press(self, doomed: dict[str, Any] | None, event: gr.EventData) -> list[Any]:
        if doomed is None or event.action != "delete":
            return [markup.NOTHING, None, *self._unchanged]
        action = find_action(doomed["action"]).read(doomed["fields"]).confirmed()
        said = self._app.perform(action)
        gr.Info(escape(" ".join(map(str, said.tell()))))
        return [markup.NOTHING, None, *self._follow(action)]

    def _give_name(self, name: str, *values: Any) -> list[Any]:
        assert self._rename is not None
        action = self._rename(*values, name.strip())
        said = self._app.perform(action)
        gr.Info(escape(" ".join(map(str, said.tell()))))
        return ["", *self._follow(action)]


def forget_other(doomed: dict[str, Any] | None, *chosen: Any) -> Any:
    """Take a question away that is about something else than what is chosen.

    The page says that a choice changed when the same was chosen again, too.

    Args:
        doomed: what was asked about, with its `chosen`; None where nothing was.
        chosen: what is chosen now.

    Returns:
        The place of the question and what it is about, emptied, or left as they are.
    """
    if doomed is None or doomed["chosen"] == list(chosen):
        return gr.skip()
    return markup.NOTHING, None
