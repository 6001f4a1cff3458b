"""The atlas of a checkpoint on the page: drawn as a job, and to be pressed."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup
from PIL import Image

from latent.nearness.features import PLAIN_SPACES
from renderers.frames.devices import known_devices
from studio.actions.action import words_of
from studio.actions.declared.atlas_actions import Atlas
from studio.actions.declared.removal_actions import DeleteFilm
from studio.atlases.atlas_files import DrawnAtlas, atlas_folder, list_atlases
from studio.screens.explore.map.atlas_map import MapOnPage, describe_atlas, describe_first_view
from studio.screens.explore.map.selection_panel import SelectionPanel
from studio.screens.explore.near_view import Chosen
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
from studio.screens.parts.removal_panel import RemovalPanel
from studio.specimens.specimen_pages import starred_labels
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, JobRow, newest_job


class AtlasView:
    """Draws atlases as jobs; pressing a place on one chooses the city that stands there."""

    def __init__(self, app: AppContext, tab: gr.Tab, chosen: gr.State) -> None:
        self._app = app
        with gr.Tab("Atlas", id="atlas"):
            known, devices = gr.State(), known_devices()
            choice = gr.Dropdown(
                label="Atlas shown",
                choices=[],
                visible="hidden",
                interactive=True,
                elem_id="atlas",
            )
            self.map = MapOnPage()
            SelectionPanel(app, self.map.place)
            words = markup.pressable(elem_id="atlas-sheet")
            with gr.Row(equal_height=True):
                batch = NumberField(label="At batch", precision=0, minimum=0, min_width=90)
                count = NumberField(500, label="Cities", precision=0, min_width=80)
                space = gr.Dropdown(
                    list(PLAIN_SPACES), value=PLAIN_SPACES[0], label="Alike in", min_width=110
                )
                device = gr.Dropdown(
                    [(FREE_DEVICE, ""), *((name, name) for name in devices)],
                    value="",
                    label="Device",
                    min_width=110,
                    visible=len(devices) > 1,
                )
                draw = gr.Button("Draw an atlas", size="md", min_width=110, elem_id="draw-atlas")
            status = gr.HTML()
            command = markup.pressable()
            RemovalPanel(
                app, "this atlas", [app.run, choice], _delete_shown, None, [], lambda action: []
            )
        form: list[Any] = [batch, count, space, device]
        app.keep_form("atlas", form[1:])
        outputs = [status, choice, known, words, self.map.shown, batch]
        app.keep_current(tab, self._refresh, [known, choice], outputs, clock=True)
        choice.change(
            show_errors(self._show), [app.run, choice], [words, self.map.shown], **EVENT_DEFAULTS
        )

        def show_command(run: str | None, *values: Any) -> Markup:
            return markup.command(words_of(read_atlas_form(run or "RUN", *values)))

        app.keep_current(tab, show_command, form, [command])
        changes = [field.change for field in form]
        gr.on(changes, show_command, [app.run, *form], command, **EVENT_DEFAULTS)
        draw.click(show_errors(self._draw), [app.run, *form], status, **EVENT_DEFAULTS)
        for pressed in (words, self.map.place):
            pressed.click(show_errors(self._choose), [app.run, choice], chosen, **EVENT_DEFAULTS)

    def _refresh(
        self, run: str | None, known: list[Any] | None, choice: str | None
    ) -> tuple[Any, ...]:
        """The map changes when an atlas begins, or was drawn, and when another run is chosen."""
        atlases = list_atlases(self._app.workspace, run) if run else []
        files = [(atlas.path.parent.name, atlas.path.stat().st_mtime) for atlas in atlases]
        job = newest_job(self._app.workspace, "atlas", run=run) if run else None
        first = self._first_view(job)
        now = [run, first, self._starred(run), *files]
        status = _status(job)
        if known is not None and repr(known) == repr(now):
            return status, *(gr.skip(),) * 5
        names = [(_title(atlas), atlas.path.parent.name) for atlas in atlases]
        newest = max(atlases, key=lambda atlas: atlas.path.stat().st_mtime, default=None)
        value = newest.path.parent.name if newest else None
        same_run = known is not None and known[0] == run
        same_files = known is not None and repr(known[3:]) == repr(now[3:])
        if same_run and same_files and choice in [name for _, name in names]:
            value = choice
        dropdown = gr.Dropdown(choices=names, value=value, visible=len(names) > 1 or "hidden")
        batches = self._app.batches(run)
        last = gr.skip() if same_run or not batches else batches[-1]
        shown = (_FIRST_VIEW_WORDS, first) if first is not None else self._show(run, value)
        return status, dropdown, now, *shown, last

    def _first_view(self, job: JobRow | None) -> dict[str, Any] | None:
        """What the map is told of an atlas that is being drawn, once there is something to see."""
        if job is None or job.status not in ACTIVE or job.fields is None:
            return None
        asked = Atlas.read(job.fields)
        if asked.around is not None:  # The label of the city in the middle is known at the end.
            return None
        batch = self._app.batches(asked.run)[-1] if asked.batch is None else asked.batch
        folder = atlas_folder(self._app.workspace, asked.run, batch, asked.space, None)
        return describe_first_view(folder, asked.run, batch, asked.count)

    def _show(self, run: str | None, choice: str | None) -> tuple[Markup, dict[str, Any] | None]:
        """What is said of an atlas, and what its map is told."""
        atlas = self._find(run, choice)
        if run is None or not self._app.batches(run):
            return nothing_yet(run), None
        if atlas is None:
            return _NO_ATLAS, None
        told = describe_atlas(atlas, self._starred(run))
        trust = atlas.trust.verdict if atlas.trust else "How far it may be believed is not known."
        said = Markup('<p class="small quiet">{} {}</p>').format(trust, markup.download(atlas.path))
        if told is None:
            said += Markup(
                '<div class="atlas-sheet"><img src="{}" data-action="point" alt="{}"></div>'
            ).format(markup.file_url(atlas.path), _title(atlas))
        credit = markup.credit(self._app.attribution(run))
        return markup.card(_title(atlas), said + credit), told

    def _starred(self, run: str | None) -> list[str]:
        return starred_labels(self._app.workspace, run) if run else []

    def _draw(
        self, run: str | None, batch: float | None, count: int, space: str, device: str
    ) -> Markup:
        if run is None or not self._app.batches(run):
            raise StudioError("There is no checkpoint to draw cities with. Train a run first.")
        if batch is not None:
            batch = nearest_batch(self._app.batches(run), batch)
        return _status(self._app.submit(read_atlas_form(run, batch, count, space, device)))

    def _choose(self, run: str, choice: str | None, event: gr.EventData) -> object:
        """A city was pressed, on the map or on the picture of an early atlas."""
        atlas = self._find(run, choice)
        if atlas is None or event.action not in ("choose", "point"):
            return gr.skip()
        if event.action == "point":
            with Image.open(atlas.path) as sheet:
                width, height = sheet.size
            label = atlas.specimen_at(int(event.x * width), int(event.y * height))
        else:
            label = event.label if event.label in atlas.labels else None
        space = atlas.space if atlas.space in PLAIN_SPACES else None
        shown = 0 if atlas.around else atlas.count
        return Chosen(label, atlas.batch, shown, space) if label else gr.skip()

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


def _delete_shown(run: str | None, choice: str | None) -> DeleteFilm:
    if run is None or choice is None:
        raise StudioError("There is no atlas to delete. Draw one above.")
    return DeleteFilm.read({"name": choice})


def _title(atlas: DrawnAtlas) -> str:
    around = f" around {atlas.around}" if atlas.around else ""
    return (
        f"Atlas of {atlas.count:,} cities{around} at batch {atlas.batch:,}, alike in {atlas.space}"
    )


def _status(job: JobRow | None) -> Markup:
    if job is not None and job.status in ACTIVE:
        text = f"Drawing: {job.note or 'starting'} {progress_text(job)}"
        return markup.note(text) + markup.progress_bar(job.done, job.total)
    if job is not None and job.status == "failed":
        return markup.note(Markup("<b>No atlas was drawn.</b> {}").format(job.note), "")
    return markup.NOTHING


_NO_ATLAS = markup.empty(
    "No atlas yet",
    "Draw one: cities that look alike come to lie near each other, so that one sees at a glance "
    "what this generator can do.",
)
_FIRST_VIEW_WORDS = markup.note(
    "A first view, of the two main directions (PCA). The map goes over into the atlas when that is "
    "laid out."
)
