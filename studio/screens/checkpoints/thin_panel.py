"""A panel of the tab Checkpoints: delete some of them, after a look at what would stay."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.runs.pins import list_pins, specimen_batches
from studio.screens.checkpoints.storage_view import draw_kept
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.upkeep.thinning import ThinPlan, ThinRequest, plan_thinning
from studio.workspace.errors import StudioError
from studio.workspace.jobs import submit_job
from studio.workspace.quantities import format_bytes, parse_bytes

EVERY, BUDGET, PINNED = "every so many batches", "to a size", "only what is referred to"


class ThinPanel:
    """A form, a preview of what it would do, and a second press that does it."""

    def __init__(self, app: AppContext, tab: gr.Tab) -> None:
        self._app = app
        with gr.Tab("Thin"):
            mode = gr.Radio([EVERY, BUDGET, PINNED], value=EVERY, label="Keep checkpoints")
            with gr.Row() as stride:
                every = gr.Number(10, label="Keep one of", precision=0, minimum=2, min_width=80)
                start = gr.Textbox("", label="From batch", placeholder="the first", min_width=80)
                end = gr.Textbox("", label="Up to batch", placeholder="the last", min_width=80)
            size = gr.Textbox("", label="Size", placeholder="such as 200GB", visible=False)
            preview = gr.Button("Thin…", size="md", elem_id="thin")
            command, self._preview = markup.pressable(), markup.pressable(elem_id="preview")
        self._planned = gr.State()  # What the preview shows: the run and the values of the form.
        form: list[Any] = [mode, every, start, end, size]
        asked, run = [app.run, *form], app.run
        mode.change(
            lambda mode: (gr.Row(visible=mode == EVERY), gr.Textbox(visible=mode == BUDGET)),
            mode,
            [stride, size],
            **EVENT_DEFAULTS,
        )
        app.keep_current(tab, _show_command, form, [command])
        gr.on(
            [run.change, *[field.change for field in form]],
            _follow_form,
            [self._planned, *asked],
            [command, self._preview],
            **EVENT_DEFAULTS,
        )
        outputs = [self._preview, self._planned]
        preview.click(show_errors(self._show_preview), asked, outputs, **EVENT_DEFAULTS)
        self._preview.click(show_errors(self._press), self._planned, outputs, **EVENT_DEFAULTS)

    def _show_preview(self, run: str | None, *form: Any) -> tuple[Markup, list[Any]]:
        if run is None or not self._app.batches(run):
            raise StudioError("There is no checkpoint to thin out. Train a run first.")
        workspace = self._app.workspace
        plan = plan_thinning(workspace, run, thin_request(*form))
        strip = draw_kept(plan.kept, list_pins(workspace, run), specimen_batches(workspace, run))
        return markup.card("What would stay", strip + _describe(plan)), [run, *form]

    def _press(self, planned: list[Any], event: gr.EventData) -> tuple[Any, Any]:
        """Thin as the preview showed, or leave everything as it is."""
        if event.action == "place":
            return gr.skip(), gr.skip()
        if event.action == "thin":
            submit_job(self._app.workspace, thin_words(*planned), planned[0])
            gr.Info("How far it is shows below.", title=f"Thinning {planned[0]}")
        return "", None


def thin_request(mode: str, every: float | None, start: str, end: str, size: str) -> ThinRequest:
    """What the form asks for.

    Args:
        mode: EVERY, BUDGET or PINNED.
        every: for EVERY, one of so many checkpoints is kept.
        start, end: for EVERY, the first batch and the end of the range; empty for all.
        size: for BUDGET, such as 200GB.

    Raises:
        StudioError: a number or a size that it needs is not there.
    """
    if mode == BUDGET:
        return ThinRequest(budget_bytes=parse_bytes(size))
    if mode == PINNED:
        return ThinRequest(keep_pinned=True)
    if every is None or every < 2:
        raise StudioError("Keep one of how many batches? Write 2 or more, such as 10.")
    return ThinRequest(every=int(every), start=_whole(start), end=_whole(end))


def thin_words(
    run: str,
    mode: str,
    every: float | None,
    start: str,
    end: str,
    size: str,
) -> list[str]:
    """The command that does what the form says; see `thin_request` for the arguments."""
    if mode == BUDGET:
        return ["thin", run, "--budget", size.strip() or "SIZE"]
    if mode == PINNED:
        return ["thin", run, "--keep-pinned"]
    words = ["thin", run, "--every", "N" if every is None else str(int(every))]
    words += ["--from", start.strip()] if start.strip() else []
    return words + (["--to", end.strip()] if end.strip() else [])


def _show_command(run: str | None, *form: Any) -> Markup:
    return markup.command(thin_words(run or "RUN", *form))


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


def _whole(text: str) -> int | None:
    if text.strip() and not text.strip().isdecimal():
        raise StudioError(f"'{text}' is no batch. Write a whole number, or nothing for all.")
    return int(text) if text.strip() else None
