"""A form of the tab Render: its pictures, its fields, its plan, and what submits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from checkpoints_index.storage.catalogue import list_runs
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, once_soon, show_errors
from studio.screens.parts.form import Form
from studio.screens.render.composer import (
    OFFERED,
    Composed,
    lay_out_composer,
    pressed_batch,
    pressed_city,
    read_keys,
    read_span,
    show_composer,
    write_keys,
    write_span,
)
from studio.screens.render.plan_view import PICTURES, PLANS, mark_of, plan_of, show_plan
from studio.workspace.errors import StudioError
from studio.workspace.names import read_whole

COMPOSED = ("points", "batches", "batch", "keys")  # The fields that pictures fill.


class FilmForm:
    """A form in a tab of its own; what is pressed among its pictures is written in its fields.

    Attributes:
        form: the fields.
        start: the button that submits it.
    """

    def __init__(
        self,
        app: AppContext,
        tab: gr.Tab,
        title: str,
        open_form: gr.State,
        lay_out: Callable[[], Form[Any]],
    ) -> None:
        self._app, self._title, self._open_form = app, title, open_form
        with gr.Tab(title, id=title) as own:
            self._pictures = lay_out_composer()
            self.form = lay_out()
            self._names = [name for name in COMPOSED if name in self.form.laid]
            self._pictures.visible = bool(self._names)  # Nothing else is chosen among them.
            self._plan = gr.HTML(elem_classes="film-plan", apply_default_css=False)
            with gr.Row():
                self._preview = gr.Button(
                    "Preview", min_width=100, visible=self.form.action in PLANS
                )
                self.start = gr.Button(f"Render the {title.lower()}", variant="primary")
            self._command = markup.pressable()
            self._offered, self._previewed = gr.State(OFFERED), gr.State("")
            self._at = gr.State(None)  # The batch of the next key of a path.
            pressed = gr.Textbox(visible="hidden")
        # A tab is selected as the page opens, too, when the address may want another one.
        own.select(
            lambda last: title if last == title else gr.skip(),
            pressed,
            open_form,
            js="() => [studio.lastTab]",
            **EVENT_DEFAULTS,
        )
        self._connect(tab)

    def _connect(self, tab: gr.Tab) -> None:
        app, form = self._app, self.form
        states = [self._open_form, self._offered, self._previewed, self._at]
        asked = [*states, *form.inputs]
        drawn = [self._command, self._pictures, self._plan]

        def show_in_sight(open_tab: str, *values: Any) -> Any:
            """Fields are filled while another tab is open, too; the next look at this one draws."""
            return self._show(*values) if open_tab == tab.label else gr.skip()

        app.keep_current(tab, self._show, asked, drawn)
        changes = [each.change for each in asked]
        gr.on(
            [once_soon(app.address.bar, f"draw {self._title}", changes)],
            show_errors(show_in_sight),
            [app.open_tab, app.run, *asked],
            drawn,
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )
        fields = [form.laid[name] for name in self._names]
        app.on_press(
            self._pictures,
            self._press,
            [app.run, self._offered, *fields],
            [self._offered, self._at, *fields],
        )
        self._preview.click(
            show_errors(self._ask_preview),
            [app.run, *form.inputs],
            self._previewed,
            **EVENT_DEFAULTS,
        )

    def _show(
        self,
        run: str | None,
        opened: str,
        offered: int,
        previewed: str,
        at: int | None,
        *written: Any,
    ) -> Any:
        """The command, the pictures and the plan of what is written; nothing while out of sight."""
        is_opening = run is None and bool(list_runs(self._app.workspace.runs))
        if opened != self._title or is_opening:  # A page that opens soon knows its run.
            return gr.skip()
        pictures: Any = gr.skip()
        if not {"points", "keys"}.isdisjoint(self.form.laid):  # Other forms take no cities.
            composed = self._composed(run, dict(zip(self.form.laid, written, strict=True)), at)
            pictures = show_composer(self._app, run, composed, offered)
        return (
            self.form.preview(*written, **({} if "run" in self.form.laid else {"run": run})),
            pictures,
            show_plan(self._app, self.form, run, written, previewed),
        )

    def _composed(self, run: str | None, values: dict[str, Any], at: int | None) -> Composed:
        """What of the fields is shown as pictures."""
        kept = self._app.batches(run)
        cities, batch = tuple(values.get("points") or ()), values.get("batch")
        if "keys" in values:
            keys = read_keys(values["keys"])
            return Composed(last=keys[-1][0] if at is None and keys else at, keys=keys)
        first, last = read_span(values.get("batches") or "", kept)
        if batch is not None or ("seconds" in values and not values.get("batches")):
            return Composed(cities, last=batch, has_one_batch=True)
        return Composed(cities, first, last)

    def _press(self, event: gr.EventData, run: str, offered: int, *values: Any) -> Any:
        """Write what was pressed into the fields that say the same."""
        fields, kept = dict(zip(self._names, values, strict=True)), self._app.batches(run)
        same = [gr.skip()] * len(fields)
        if event.action == "more":
            return offered + OFFERED, gr.skip(), *same
        if event.action == "span" and "keys" in fields:
            return gr.skip(), pressed_batch(event, "at", kept), *same
        changed = self._changed(event, fields, kept)
        return gr.skip(), gr.skip(), *(changed.get(name, gr.skip()) for name in self._names)

    def _changed(
        self, event: gr.EventData, fields: dict[str, Any], kept: list[int]
    ) -> dict[str, Any]:
        if "keys" in fields:
            return {"keys": self._with_key(event, fields["keys"], kept)}
        if event.action == "city":
            return {"points": pressed_city(fields.get("points") or [], event.label)}
        if event.action == "span" and hasattr(event, "at"):
            return {"batch": pressed_batch(event, "at", kept)}
        if event.action == "span":
            ends = pressed_batch(event, "from", kept), pressed_batch(event, "to", kept)
            return {"batches": write_span(*ends, kept)}
        return {}

    def _with_key(self, event: gr.EventData, text: str, kept: list[int]) -> Any:
        """The keys of a path once a city was pressed, or one of them was taken out."""
        keys = list(read_keys(text))
        if event.action == "drop" and (place := read_whole(str(event.place))) is not None:
            return write_keys(keys[:place] + keys[place + 1 :])
        if event.action == "city":
            return write_keys([*keys, (pressed_batch(event, "at", kept), event.label)])
        return gr.skip()

    def _ask_preview(self, run: str | None, *written: Any) -> str:
        """Draw some frames; the plan shows them from then on, as long as the film is the same."""
        if run is None or not self._app.batches(run):
            raise StudioError("There is no checkpoint to render. Train a run first.")
        self._app.perform(plan_of(self.form, run, written, PICTURES))
        return mark_of(plan_of(self.form, run, written, 0))
