"""The atlas of a checkpoint on the page: drawn as a job, and to be pressed."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup
from PIL import Image

from latent.features import SPACES
from renderers.frames.devices import known_devices
from studio.actions.action import words_of
from studio.actions.declared.specimen_actions import Atlas
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EVENT_DEFAULTS,
    AppContext,
    nearest_batch,
    nothing_yet,
    show_errors,
)
from studio.screens.parts.form import FREE_DEVICE
from studio.screens.parts.jobs_view import progress_text
from studio.screens.parts.number_field import NumberField
from studio.specimens.atlases import DrawnAtlas, list_atlases
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, JobRow, list_jobs
from studio.workspace.paths import Workspace


class AtlasView:
    """Draws atlases as jobs; pressing a place on one chooses the city that stands there."""

    def __init__(self, app: AppContext, tab: gr.Tab, chosen: gr.State) -> None:
        self._app = app
        with gr.Tab("Atlas"):
            known, devices = gr.State(), known_devices()
            with gr.Row(equal_height=True):
                batch = NumberField(label="At batch", precision=0, minimum=0, min_width=90)
                count = NumberField(500, label="Cities", precision=0, min_width=80)
                space = gr.Dropdown(list(SPACES), value=SPACES[0], label="Alike in", min_width=110)
                device = gr.Dropdown(
                    [(FREE_DEVICE, ""), *((name, name) for name in devices)],
                    value="",
                    label="Device",
                    min_width=110,
                    visible=len(devices) > 1,
                )
                draw = gr.Button("Draw an atlas", size="md", min_width=110, elem_id="draw-atlas")
            status = gr.HTML()
            choice = gr.Dropdown(
                label="Atlas shown",
                choices=[],
                visible="hidden",
                interactive=True,
                elem_id="atlas",
            )
            sheet = markup.pressable(elem_id="atlas-sheet")
            command = markup.pressable()
        form: list[Any] = [batch, count, space, device]
        outputs = [status, choice, known, sheet, batch]
        app.keep_current(tab, self._refresh, [known], outputs, clock=True)
        choice.change(show_errors(self._show), [app.run, choice], sheet, **EVENT_DEFAULTS)
        gr.on(
            [app.run.change, *[field.change for field in form]],
            lambda run, *values: markup.command(words_of(read_atlas_form(run or "RUN", *values))),
            [app.run, *form],
            command,
            **EVENT_DEFAULTS,
        )
        draw.click(show_errors(self._draw), [app.run, *form], status, **EVENT_DEFAULTS)
        sheet.click(show_errors(self._choose), [app.run, choice], chosen, **EVENT_DEFAULTS)

    def _refresh(self, run: str | None, known: list[Any] | None) -> tuple[Any, ...]:
        """The sheet changes only when an atlas was drawn or another run chosen."""
        atlases = list_atlases(self._app.workspace, run) if run else []
        now = [run, *[(atlas.path.parent.name, atlas.path.stat().st_mtime) for atlas in atlases]]
        status = _status(self._app.workspace, run)
        if known is not None and repr(known) == repr(now):
            return status, *(gr.skip(),) * 4
        names = [(_title(atlas), atlas.path.parent.name) for atlas in atlases]
        newest = max(atlases, key=lambda atlas: atlas.path.stat().st_mtime, default=None)
        value = newest.path.parent.name if newest else None
        dropdown = gr.Dropdown(choices=names, value=value, visible=len(names) > 1 or "hidden")
        batches = self._app.batches(run)
        same_run = known is not None and known[0] == run
        last = gr.skip() if same_run or not batches else batches[-1]
        return status, dropdown, now, self._show(run, value), last

    def _show(self, run: str | None, choice: str | None) -> Markup:
        atlas = self._find(run, choice)
        if run is None or not self._app.batches(run):
            return nothing_yet(run)
        if atlas is None:
            return markup.empty(
                "No atlas yet",
                "Draw one: cities that look alike come to lie near each other, so that one sees "
                "at a glance what this generator can do.",
            )
        title, kept, chance = _title(atlas), atlas.neighbours_kept, atlas.neighbours_by_chance
        honest = (
            f"A flat map cannot keep everything: {kept:.0%} of each city's nearest neighbours in "
            f"{atlas.space} are also among its nearest here; on a random map it would be "
            f"{chance:.1%}. Press a city to see its true neighbours."
        )
        body = Markup(
            '<div class="atlas-sheet"><img src="{}" data-action="point" alt="{}"></div>'
            '<p class="small quiet">{}</p>'
        ).format(markup.file_url(atlas.path), title, honest)
        return markup.card(title, body + markup.credit(self._app.attribution(run)))

    def _draw(
        self, run: str | None, batch: float | None, count: int, space: str, device: str
    ) -> Markup:
        if run is None or not self._app.batches(run):
            raise StudioError("There is no checkpoint to draw cities with. Train a run first.")
        if batch is not None:
            batch = nearest_batch(self._app.batches(run), batch)
        self._app.submit(read_atlas_form(run, batch, count, space, device))
        return _status(self._app.workspace, run)

    def _choose(self, run: str, choice: str | None, event: gr.EventData) -> object:
        atlas = self._find(run, choice)
        if atlas is None:
            return gr.skip()
        with Image.open(atlas.path) as sheet:
            width, height = sheet.size
        label = atlas.specimen_at(int(event.x * width), int(event.y * height))
        return (label, atlas.batch) if label else gr.skip()

    def _find(self, run: str | None, choice: str | None) -> DrawnAtlas | None:
        atlases = list_atlases(self._app.workspace, run) if run else []
        return next((atlas for atlas in atlases if atlas.path.parent.name == choice), None)


def read_atlas_form(
    run: str, batch: float | None, count: float | None, space: str, device: str = ""
) -> Atlas:
    """Draw an atlas, of the last checkpoint where no batch is given."""
    at = None if batch is None else int(batch)
    given = {"run": run, "batch": at, "count": int(count or 0), "space": space}
    return Atlas.read({**given, "device": device or None})


def _title(atlas: DrawnAtlas) -> str:
    return f"Atlas of {atlas.count:,} cities at batch {atlas.batch:,}, alike in {atlas.space}"


def _status(workspace: Workspace, run: str | None) -> Markup:
    job = _newest_job(workspace, run)
    if job is not None and job.status in ACTIVE:
        text = f"Drawing: {job.note or 'starting'} {progress_text(job)}"
        return markup.note(text) + markup.progress_bar(job.done, job.total)
    if job is not None and job.status == "failed":
        return markup.note(Markup("<b>No atlas was drawn.</b> {}").format(job.note), "")
    return markup.NOTHING


def _newest_job(workspace: Workspace, run: str | None) -> JobRow | None:
    jobs = list_jobs(workspace)
    return next((job for job in jobs if job.run == run and job.action == "atlas"), None)
