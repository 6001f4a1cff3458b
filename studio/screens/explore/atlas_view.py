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
from studio.actions.declared.latent.growth_actions import AtlasGrowth
from studio.actions.declared.removal_actions import DeleteFilm
from studio.atlases.atlas_files import atlas_folder
from studio.atlases.growth_files import GrowthAtlas
from studio.screens.explore.map.atlas_map import (
    NO_MARKS,
    CityMarks,
    MapOnPage,
    describe_atlas,
    describe_first_view,
    describe_growth,
)
from studio.screens.explore.map.selection_panel import SelectionPanel
from studio.screens.explore.near_view import Chosen
from studio.screens.explore.shown_atlas import (
    ShownAtlas,
    find_shown,
    list_shown,
    name_of,
    record_of,
)
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
from studio.specimens.specimen_pages import starred_labels, tagged_labels
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, JobRow, newest_job


class AtlasView:
    """Draws atlases as jobs; pressing a place on one chooses the city that stands there.

    Attributes:
        map: the canvas.
        choice: the name of the atlas that is shown.
    """

    def __init__(self, app: AppContext, tab: gr.Tab, chosen: gr.State) -> None:
        self._app = app
        with gr.Tab("Atlas", id="atlas"):
            known, devices = gr.State(), known_devices()
            # The atlas that somebody has picked, and the one that an address asks for.
            picked, wanted = gr.State(), gr.State()
            self.choice = choice = gr.Dropdown(
                label="Atlas shown",
                choices=[],
                interactive=True,
                elem_id="atlas",
            )
            self.map = MapOnPage()
            selection = SelectionPanel(app, self.map.place)
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
                grow = gr.Button(
                    "Draw it over training", size="md", min_width=150, elem_id="grow-atlas"
                )
            status = gr.HTML()
            command = markup.pressable()
            RemovalPanel(
                app, "this atlas", [app.run, choice], _delete_shown, None, [], lambda action: []
            )
        form: list[Any] = [batch, count, space, device]
        app.keep_form("atlas", form[1:])
        outputs = [status, choice, known, words, self.map.shown, batch, picked]
        app.keep_current(tab, self._refresh, [known, choice, wanted], outputs, clock=True)
        choice.input(lambda name: name, choice, picked, **EVENT_DEFAULTS)
        self._hold_place(str(tab.label), known, picked, wanted)
        choice.change(
            show_errors(self._show), [app.run, choice], [words, self.map.shown], **EVENT_DEFAULTS
        )

        def show_command(run: str | None, *values: Any) -> Markup:
            asked = (
                read_atlas_form(run or "RUN", *values),
                read_growth_form(run or "RUN", *values),
            )
            return markup.join(markup.command(words_of(action)) for action in asked)

        app.keep_current(tab, show_command, form, [command])
        changes = [field.change for field in form]
        gr.on(changes, show_command, [app.run, *form], command, **EVENT_DEFAULTS)
        for button, ask in ((draw, self._draw), (grow, self._grow)):
            button.click(show_errors(ask), [app.run, *form], status, **EVENT_DEFAULTS)
        for pressed in (words, self.map.place, selection.view):
            pressed.click(show_errors(self._choose), [app.run, choice], chosen, **EVENT_DEFAULTS)

    def _hold_place(self, title: str, known: gr.State, picked: gr.State, wanted: gr.State) -> None:
        """Let the address say which atlas somebody has picked, and where on it one looks."""
        address, names = self._app.address, ("zoom", "moment")
        address.begin_anew(title, known)
        address.hold(title, "atlas", picked, target=wanted)
        address.hold_several(
            title,
            self.map.stood,
            lambda place: {name: place[name] for name in names if name in (place or {})},
            lambda parts: {name: parts[name] for name in names if name in parts} or None,
            self.map.wanted,
        )

    def _refresh(
        self,
        run: str | None,
        known: list[Any] | None,
        choice: str | None,
        wanted: str | None = None,
    ) -> tuple[Any, ...]:
        """The map changes when an atlas begins, or was drawn, and when another run is chosen.

        Args:
            known: what is drawn; None where the page has just opened, with the atlas that its
                address asks for.
        """
        atlases = list_shown(self._app.workspace, run) if run else []
        files = [(name_of(atlas), record_of(atlas).stat().st_mtime) for atlas in atlases]
        job = newest_job(self._app.workspace, *DRAWING, run=run) if run else None
        first = self._first_view(job)
        now = [run, first, self._marks(run), *files]
        status = _status(job)
        if len(files) > 1:
            status += _SEVERAL
        if known is not None and repr(known) == repr(now):
            return status, *(gr.skip(),) * 6
        names = [name for name, _ in files]
        newest, _ = max(files, key=lambda file: file[1], default=(None, 0.0))
        same_run = known is not None and known[0] == run
        same_files = known is not None and repr(known[3:]) == repr(now[3:])
        stays = choice if same_run and same_files else wanted if known is None else None
        value = stays if stays in names else newest
        choices = list(zip(map(_title, atlases), names, strict=True))
        dropdown = gr.Dropdown(choices=choices, value=value)
        batches = self._app.batches(run)
        last = gr.skip() if same_run or not batches else batches[-1]
        shown = (_FIRST_VIEW_WORDS, first) if first is not None else self._show(run, value)
        picked = gr.skip() if same_run and same_files else value if value == wanted else None
        return status, dropdown, now, *shown, last, picked

    def _first_view(self, job: JobRow | None) -> dict[str, Any] | None:
        """What the map is told of an atlas that is being drawn, once there is something to see."""
        if job is None or job.action != Atlas.command or job.status not in ACTIVE:
            return None
        if job.fields is None:
            return None
        asked = Atlas.read(job.fields)
        if asked.around is not None:  # The label of the city in the middle is known at the end.
            return None
        batch = self._app.batches(asked.run)[-1] if asked.batch is None else asked.batch
        folder = atlas_folder(self._app.workspace, asked.run, batch, asked.space, None)
        return describe_first_view(folder, asked.run, batch, asked.count)

    def _show(self, run: str | None, choice: str | None) -> tuple[Markup, dict[str, Any] | None]:
        """What is said of an atlas, and what its map is told."""
        atlas = find_shown(self._app.workspace, run, choice)
        if run is None or not self._app.batches(run):
            return nothing_yet(run), None
        if atlas is None:
            return _NO_ATLAS, None
        if isinstance(atlas, GrowthAtlas):
            return self._show_growth(run, atlas)
        told = describe_atlas(atlas, self._marks(run))
        trust = atlas.trust.verdict if atlas.trust else "How far it may be believed is not known."
        said = Markup('<p class="small quiet">{} {}</p>').format(trust, markup.download(atlas.path))
        if told is None:
            said += Markup(
                '<div class="atlas-sheet"><img src="{}" data-action="point" alt="{}"></div>'
            ).format(markup.file_url(atlas.path), _title(atlas))
        credit = markup.credit(self._app.attribution(run))
        return markup.card(_title(atlas), said + credit), told

    def _show_growth(self, run: str, atlas: GrowthAtlas) -> tuple[Markup, dict[str, Any]]:
        """What is said of an atlas over training, and what its map is told."""
        moved = [each.moved for each in atlas.maps[1:]]
        said = markup.note(
            f"From map to map a city moves by {sum(moved) / len(moved):.2f} of the map's radius; "
            f"maps that have nothing to do with each other are 1.25 apart. The last map keeps "
            f"{atlas.maps[-1].kept:.0%} of the {atlas.neighbours} nearest of each city."
        )
        body = said + markup.credit(self._app.attribution(run))
        return markup.card(_title(atlas), body), describe_growth(atlas, self._marks(run))

    def _marks(self, run: str | None) -> CityMarks:
        workspace = self._app.workspace
        if run is None:
            return NO_MARKS
        return CityMarks(starred_labels(workspace, run), tagged_labels(workspace, run))

    def _draw(
        self, run: str | None, batch: float | None, count: int, space: str, device: str
    ) -> Markup:
        if run is None or not self._app.batches(run):
            raise StudioError("There is no checkpoint to draw cities with. Train a run first.")
        if batch is not None:
            batch = nearest_batch(self._app.batches(run), batch)
        return _status(self._app.submit(read_atlas_form(run, batch, count, space, device)))

    def _grow(
        self, run: str | None, batch: float | None, count: int, space: str, device: str
    ) -> Markup:
        if run is None or len(self._app.batches(run)) < 2:
            raise StudioError("A map over training needs two checkpoints. Train a run first.")
        return _status(self._app.submit(read_growth_form(run, batch, count, space, device)))

    def _choose(self, run: str, choice: str | None, event: gr.EventData) -> object:
        """A city was pressed, on the map or on the picture of an early atlas."""
        atlas = find_shown(self._app.workspace, run, choice)
        if atlas is None or event.action not in ("choose", "point"):
            return gr.skip()
        if isinstance(atlas, GrowthAtlas):
            return _choose_grown(atlas, event)
        if event.action == "point":
            with Image.open(atlas.path) as sheet:
                width, height = sheet.size
            label = atlas.specimen_at(int(event.x * width), int(event.y * height))
        else:
            label = event.label if event.label in atlas.labels else None
        space = atlas.space if atlas.space in PLAIN_SPACES else None
        shown = 0 if atlas.around else atlas.count
        return Chosen(label, atlas.batch, shown, space) if label else gr.skip()


def _choose_grown(atlas: GrowthAtlas, event: gr.EventData) -> object:
    """A city of an atlas over training, at the batch of the map on which it was pressed."""
    if event.action != "choose" or event.label not in atlas.labels:
        return gr.skip()
    batch = getattr(event, "batch", None)  # A picture outside the map names none.
    batch = batch if batch in atlas.batches else atlas.batches[-1]
    return Chosen(event.label, batch, 0, atlas.space)


def read_atlas_form(
    run: str, batch: float | None, count: float | None, space: str, device: str = ""
) -> Atlas:
    """Draw an atlas, of the last checkpoint where no batch is given."""
    at = None if batch is None else int(batch)
    given = {"run": run, "batch": at, "count": int(count or 0), "space": space}
    return Atlas.read({**given, "device": device or None})


def read_growth_form(
    run: str, batch: float | None, count: float | None, space: str, device: str = ""
) -> AtlasGrowth:
    """Draw an atlas over training up to a batch, or go on with the one that is there."""
    batches = "" if batch is None else f":{int(batch) + 1}"
    given = {"run": run, "batches": batches, "count": int(count or 0), "space": space}
    return AtlasGrowth.read({**given, "device": device or None})


def _delete_shown(run: str | None, choice: str | None) -> DeleteFilm:
    if run is None or choice is None:
        raise StudioError("There is no atlas to delete. Draw one above.")
    return DeleteFilm.read({"name": choice})


def _title(atlas: ShownAtlas) -> str:
    if isinstance(atlas, GrowthAtlas):
        first, last = atlas.batches[0], atlas.batches[-1]
        return (
            f"{len(atlas.labels):,} cities over training, batch {first:,} to {last:,} on "
            f"{len(atlas.maps):,} maps, alike in {atlas.space}"
        )
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


DRAWING = (Atlas.command, AtlasGrowth.command)
# Tells the style sheet that there is something to choose. A component that is hidden while its tab
# was never opened does not come back when the tab opens.
_SEVERAL = Markup('<span class="several-atlases" hidden></span>')
_NO_ATLAS = markup.empty(
    "No atlas yet",
    "Draw one: cities that look alike come to lie near each other, so that one sees at a glance "
    "what this generator can do.",
)
_FIRST_VIEW_WORDS = markup.note(
    "A first view, of the two main directions (PCA). The map goes over into the atlas when that is "
    "laid out."
)
