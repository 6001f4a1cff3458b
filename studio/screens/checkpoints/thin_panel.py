"""A panel of the tab Checkpoints: delete some of them, after a look at what would stay."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.actions.action import spell_command, words_of
from studio.actions.declared.checkpoint_actions import Thin
from studio.runs.pins import list_pins, specimen_batches
from studio.screens.checkpoints.storage_view import draw_kept
from studio.screens.parts import markup
from studio.screens.parts.app_context import EACH_TIME, EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.number_field import NumberField
from studio.upkeep.thinning import ThinPlan, plan_thinning
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.records.quantities import format_bytes
from studio.workspace.records.record import InvalidValueError

LABELS = {"every": "'Keep one of'", "start": "'From batch'", "end": "'Up to batch'"}
EVERY, BUDGET, PINNED = "every so many batches", "to a size", "only what is referred to"


class ThinPanel:
    """A form, a preview of what it would do, and a second press that does it."""

    def __init__(self, app: AppContext, tab: gr.Tab) -> None:
        self._app = app
        with gr.Tab("Thin"):
            mode = gr.Radio([EVERY, BUDGET, PINNED], value=EVERY, label="Keep checkpoints")
            with gr.Row() as stride:
                every = NumberField(10, label="Keep one of", precision=0, minimum=2, min_width=80)
                start = gr.Textbox("", label="From batch", placeholder="the first", min_width=80)
                end = gr.Textbox("", label="Up to batch", placeholder="the last", min_width=80)
            size = gr.Textbox("", label="Size", placeholder="such as 200GB", visible=False)
            preview = gr.Button("Thin…", size="md", elem_id="thin")
            command, self._preview = markup.pressable(), markup.pressable(elem_id="preview")
            # What the preview shows: the run and the values of the form.
            self._planned = gr.State()
        form: list[Any] = [mode, every, start, end, size]
        asked = [app.run, *form]
        mode.change(
            lambda mode: (gr.Row(visible=mode == EVERY), gr.Textbox(visible=mode == BUDGET)),
            mode,
            [stride, size],
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )

        def follow_run(run: str | None, planned: list[Any] | None, *form: Any) -> Any:
            return _follow_form(planned, run, *form)

        followed = [command, self._preview]
        app.keep_current(tab, follow_run, [self._planned, *form], followed)
        gr.on(
            [field.change for field in form],
            _follow_form,
            [self._planned, *asked],
            [command, self._preview],
            **EVENT_DEFAULTS,
        )
        outputs = [self._preview, self._planned]
        preview.click(show_errors(self._show_preview), asked, outputs, **EVENT_DEFAULTS)
        app.on_press(self._preview, self._press, self._planned, outputs)

    def _show_preview(self, run: str | None, *form: Any) -> tuple[Markup, list[Any]]:
        if run is None or not self._app.batches(run):
            raise StudioError("There is no checkpoint to thin out. Train a run first.")
        workspace = self._app.workspace
        action = read_thin(run, *form)
        action.check(workspace)
        plan = plan_thinning(workspace, run, action.request)
        strip = draw_kept(plan.kept, list_pins(workspace, run), specimen_batches(workspace, run))
        return markup.card("What would stay", strip + _describe(plan)), [run, *form]

    def _press(self, planned: list[Any] | None, event: gr.EventData) -> tuple[Any, Any]:
        """Thin as the preview showed, or leave everything as it is."""
        if event.action == "place":
            return gr.skip(), gr.skip()
        if event.action == "thin" and planned is not None:
            self._app.submit(read_thin(*planned))
            gr.Info(f"Thinning {planned[0]}: how far it is shows below.")
        return "", None


def read_thin(run: str, mode: str, every: float | None, start: str, end: str, size: str) -> Thin:
    """The action that the form asks for.

    Args:
        mode: EVERY, BUDGET or PINNED.
        every: for EVERY, one of so many checkpoints is kept.
        start, end: for EVERY, the first batch and the end of the range; empty for all.
        size: for BUDGET, such as 200GB.

    Raises:
        StudioError: a number or a size does not fit.
    """
    try:
        return Thin.read(_fields(run, mode, every, start, end, size))
    except InvalidValueError as error:
        raise StudioError(error.spelled(LABELS)) from error


def _fields(
    run: str, mode: str, every: float | None, start: str, end: str, size: str
) -> dict[str, Any]:
    """What the form says of the action; what is empty stays unsaid."""
    if mode == BUDGET:
        return {"run": run, "budget": size}
    if mode == PINNED:
        return {"run": run, "keep_pinned": True}
    given = {"every": 0 if every is None else every, "start": start.strip(), "end": end.strip()}
    return {"run": run, **{name: value for name, value in given.items() if value != ""}}


def _show_command(run: str | None, *form: Any) -> Markup:
    fields = _fields(run or "RUN", *form)
    try:
        return markup.command(words_of(Thin.read(fields)))
    except EXPECTED_ERRORS:
        return markup.command(spell_command(Thin, fields))


def _follow_form(planned: list[Any] | None, *asked: Any) -> tuple[Markup, Any]:
    """The command of the form; a preview that does not belong to it any more goes."""
    stale = planned is not None and planned != list(asked)
    return _show_command(*asked), "" if stale else gr.skip()


def _describe(plan: ThinPlan) -> Markup:
    text = (
        f"{plan.dropped:,} of {len(plan.before):,} checkpoints would go, leaving about "
        f"{format_bytes(plan.size_after)} of {format_bytes(plan.size_before)}. The others stay as "
        "they are, bit for bit. What goes cannot be brought back."
    )
    thin = markup.button(f"Let {plan.dropped:,} go", "thin") if plan.dropped else ""
    leave = markup.button("Leave all as it is", "leave", quiet=True)
    return Markup('<p class="small">{}</p><div class="line">{}{}</div>').format(text, thin, leave)
