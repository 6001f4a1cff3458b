"""A panel of the tab Checkpoints: the networks at a batch change, as a run of their own."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup
from pydantic import ValidationError

from studio.actions.declared.surgery.surgery_actions import ACTIONS, SurgeryAction, SurgeryResult
from studio.screens.parts import markup
from studio.screens.parts.app_context import EACH_TIME, EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.form import Form
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, JobRow, find_job
from studio.workspace.records.quantities import format_bytes

VERBS = {action.command: action for action in ACTIONS}
SAID = {  # What each does, on its button.
    "vacuum": "take out what does nothing",
    "cull": "take out the weakest",
    "widen": "add units",
    "deepen": "add a layer",
}
OWN_FIELDS = {
    "vacuum": ("below", "Below"),
    "cull": ("share", "Share of each layer"),
    "widen": ("by", "By so much of each layer"),
    "deepen": ("seed", "Seed"),
}


class SurgeryPanel:
    """A form for each of the four changes, a look at what one would do, and what it did."""

    def __init__(self, app: AppContext, tab: gr.Tab, seen: gr.State) -> None:
        self._app = app
        self._forms: dict[str, Form[SurgeryAction]] = {}
        with gr.Tab("Networks"):
            verb = gr.Radio(
                [(f"{name}: {said}", name) for name, said in SAID.items()],
                value="vacuum",
                label="At the chosen batch",
            )
            groups = [self._lay_out(name, name == "vacuum") for name in VERBS]
            with gr.Row():
                look = gr.Button("Look first", size="md", elem_id="surgery-look")
                make = gr.Button("Make the run", size="md", elem_id="surgery-make")
            command, place = markup.pressable(), markup.pressable(elem_id="surgery")
            job = gr.State(None)
        inputs = [field for form in self._forms.values() for field in form.inputs]
        verb.change(
            lambda chosen: [gr.Group(visible=name == chosen) for name in VERBS],
            verb,
            groups,
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        asked = [seen, verb, *inputs]
        gr.on(
            [seen.change, verb.change, *(field.change for field in inputs)],
            self._show_command,
            asked,
            command,
            **EVENT_DEFAULTS,
        )
        look.click(show_errors(self._look), asked, [place, job], **EVENT_DEFAULTS)
        make.click(show_errors(self._make), asked, [place, job], **EVENT_DEFAULTS)
        app.keep_current(tab, self._show, [job], [place], clock=True)

    def _lay_out(self, name: str, visible: bool) -> gr.Group:
        form = self._forms[name] = Form(VERBS[name])
        own, label = OWN_FIELDS[name]
        group: gr.Group
        with gr.Group(visible=visible) as group, gr.Row():
            form.field("run", "Name of the new run", placeholder="such as city-lean")
            form.field("layers", info="all where empty" if name != "deepen" else "behind which")
            form.field(own, label)
        return group

    def _written(self, verb: str, values: tuple[Any, ...]) -> tuple[Form[SurgeryAction], list[Any]]:
        """The form of a verb, and what was written in it."""
        start = 0
        for name, form in self._forms.items():
            if name == verb:
                break
            start += len(form.inputs)
        return form, list(values[start : start + len(form.inputs)])

    def _show_command(self, seen: list[Any] | None, verb: str, *values: Any) -> Markup:
        form, written = self._written(verb, values)
        return form.preview(*written, origin=f"{seen[0]}@{seen[1]}" if seen else "RUN@BATCH")

    def _look(self, seen: list[Any] | None, verb: str, *values: Any) -> tuple[Markup, int]:
        """Say what it would do; the name of the run is not needed yet."""
        form, written = self._written(verb, values)
        fields = form.as_written(*written, origin=self._origin(seen), dry_run=True)
        fields.pop("run", None)
        return self._submit(VERBS[verb].read(fields))

    def _make(self, seen: list[Any] | None, verb: str, *values: Any) -> tuple[Markup, int]:
        form, written = self._written(verb, values)
        action = form.read(*written, origin=self._origin(seen))
        if not action.run:
            raise StudioError("The new run needs a name. Write one, such as city-lean.")
        return self._submit(action)

    def _origin(self, seen: list[Any] | None) -> str:
        if not seen:
            raise StudioError("There is no checkpoint whose networks could be changed.")
        return f"{seen[0]}@{seen[1]}"

    def _submit(self, action: SurgeryAction) -> tuple[Markup, int]:
        job = self._app.submit(action)
        return show_surgery(job), job.id

    def _show(self, run: str | None, job: int | None) -> Any:
        return gr.skip() if job is None else show_surgery(find_job(self._app.workspace, job))


def show_surgery(job: JobRow) -> Markup:
    """A change of networks as it stands: at work, refused, or what it did."""
    if job.status in ACTIVE:
        return markup.card("Measuring …", markup.working_bar())
    if job.status != "done":
        said = markup.note(job.note or f"It is {job.status}.", "warning")
        return markup.card("Nothing was changed", said)
    try:
        return _show_result(SurgeryResult.model_validate(job.result))
    except ValidationError:
        return markup.card("Changed", markup.note("Its result cannot be read.", "warning"))


def _show_result(result: SurgeryResult) -> Markup:
    old, new = result.before, result.after
    facts = [
        ("weights", f"{old.weights:,} → {new.weights:,}"),
        ("size", f"{format_bytes(old.size_bytes)} → {format_bytes(new.size_bytes)}"),
        ("pictures/s", f"{old.pictures_per_s:,.0f} → {new.pictures_per_s:,.0f}"),
        ("differ at most, of 255", f"{result.largest:.2g}"),
        ("rms", f"{result.rms:.2g}"),
    ]
    units = ", ".join(f"{each.layer} {each.before:,} → {each.after:,}" for each in result.layers)
    title = f"{result.kind} of {result.parent}@{result.batch}"
    title += f": run {result.run}" if result.run else ", looked at: no run was made"
    return markup.card(title, markup.facts(facts) + markup.note(units) + _sheet(result))


def _sheet(result: SurgeryResult) -> Markup:
    if not result.sheet.is_file():
        return markup.NOTHING
    image = Markup('<figure><img class="crisp" src="{}" alt="{}"></figure>')
    return image.format(markup.file_url(result.sheet), "Pictures before, after, and their distance")
