"""The tab Explore: random cities, an atlas, an interpolation, and the neighbours of a city."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gradio as gr
from markupsafe import Markup

from latent.nearness.distances import METRICS
from latent.nearness.features import PLAIN_SPACES
from latent.points import LatentPoint
from studio.screens.explore.atlas_view import AtlasView
from studio.screens.explore.city_choice import SHOWN, CityChoice
from studio.screens.explore.corners_view import CornersView
from studio.screens.explore.interpolation_view import InterpolationView
from studio.screens.explore.likeness_panel import LikenessPanel
from studio.screens.explore.near_view import Chosen, NearView
from studio.screens.explore.picture_view import PictureView
from studio.screens.explore.steering_view import SteeringView
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EVENT_DEFAULTS,
    AppContext,
    batch_slider,
    nearest_batch,
    nothing_yet,
    show_errors,
)
from studio.screens.parts.browser.address_book import RUN
from studio.screens.parts.number_field import BatchSlider
from studio.specimens.points import points_at
from studio.specimens.specimens import seen_among
from studio.workspace.names import require_point_label

PLACES = (
    "cities",
    "atlas",
    "walk",
    "four",
    "steer",
    "picture",
)  # Ways to find cities, by their tabs.
COUNTS = [12, 24, 48, 96]
COLUMNS, MANY, MANY_COLUMNS = 6, 12, 8  # More cities than MANY stand in more columns.


class ExploreScreen:
    """Ways to find cities on the left; the chosen one and its neighbours on the right.

    The chosen city is a state, `Chosen`, which all of these set and all views follow.
    """

    TITLE: ClassVar[str] = "Explore"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with app.tab(self.TITLE) as tab, gr.Row(equal_height=False):
            self._first, self._known, self._chosen = gr.State(0), gr.State(), gr.State()
            # The batch that is shown, and the one that an address asks for.
            self._at, self._wanted = gr.State(), gr.State()
            place = gr.State(PLACES[0]), gr.State()
            with gr.Column(scale=7, min_width=500), gr.Tabs(elem_id="places") as places:
                with gr.Tab("Random cities", id=PLACES[0]):
                    self._lay_out_gallery()
                atlas = AtlasView(app, tab, self._chosen)
                walk = InterpolationView(app, self._chosen)
                CornersView(app, self._chosen, walk.lately)
                SteeringView(app, self._chosen)
                PictureView(app, tab, self._chosen)
            with gr.Column(scale=4, min_width=340):
                near = (atlas.map.near, app.stars, list(PLAIN_SPACES), list(METRICS))
                NearView(app, self._chosen, *near)
                LikenessPanel(app, self._chosen, atlas.choice)
                CityChoice(app, self._chosen, walk.lately, places, place[0])
        self._connect(tab)
        self._hold_place(places, *place)

    def _lay_out_gallery(self) -> None:
        with gr.Row(equal_height=True):
            self._slider = BatchSlider(0, 1, 0, label="At batch", step=1, scale=4)
            self._count = gr.Dropdown(COUNTS, value=24, label="Cities", min_width=80)
            self._others = gr.Button("Other cities", size="md", min_width=110, elem_id="others")
        self._gallery = markup.pressable(elem_id="gallery")

    def _connect(self, tab: gr.Tab) -> None:
        run, view = self._app.run, [self._slider, self._count, self._first]
        outputs = [self._slider, self._gallery, self._chosen, self._known]
        seen = [self._count, self._first, self._known, self._wanted]
        self._app.keep_current(tab, self._refresh, seen, outputs, clock=True)
        gr.on(
            [self._slider.change, self._count.change],
            show_errors(self._show_at),
            [run, *view],
            [self._gallery, self._at],
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )
        self._others.click(
            show_errors(self._show_others),
            [run, *view],
            [self._gallery, self._first],
            **EVENT_DEFAULTS,
        )
        self._app.on_press(self._gallery, self._choose, [run, *view], self._chosen)
        self._app.keep_form("cities", [self._count])
        address = self._app.address
        address.hold(self.TITLE, "batch", self._at, target=self._wanted)
        address.hold(self.TITLE, "first", self._first, 0)
        address.hold_several(self.TITLE, self._chosen, _split_chosen, self._join_chosen)
        address.begin_anew(self.TITLE, self._known)

    def _join_chosen(self, parts: Mapping[str, Any]) -> Chosen | None:
        """The chosen city that the parts of an address stand for.

        A link need not say at which batch: the city is seen at its own, else at the last.
        """
        run, label, seen = parts[RUN], parts.get("city"), parts.get("seen")
        if label is None or run is None:
            return None
        kept = self._app.batches(run)
        if seen not in kept:
            seen = seen_among(kept, label) if kept else None
        return None if seen is None else Chosen(label, seen, parts.get("shown", SHOWN))

    def _hold_place(self, places: gr.Tabs, place: gr.State, wanted: gr.State) -> None:
        """Let the address say which of the ways to find cities is open.

        Args:
            place, wanted: the one that is open, and the one that an address asks for.
        """
        for inner, name in zip(places.children, PLACES, strict=True):
            assert isinstance(inner, gr.Tab)
            assert inner.id == name
            inner.select(lambda name=name: name, None, place, **EVENT_DEFAULTS)
        wanted.change(
            lambda name: (gr.Tabs(selected=name), name), wanted, [places, place], **EVENT_DEFAULTS
        )
        self._app.address.hold(self.TITLE, "place", place, PLACES[0], wanted, known=PLACES)

    def _refresh(
        self,
        run: str | None,
        count: int,
        first: int,
        known: tuple[str, int] | None,
        wanted: int | None,
    ) -> tuple[Any, ...]:
        """Another run begins anew; more checkpoints only lengthen the slider.

        Args:
            known: the run and its last batch that are drawn; None where the page has just opened,
                with the city that its address says and at the batch that it wants.
        """
        batches = self._app.batches(run)
        if run is None or not batches:
            return batch_slider([]), nothing_yet(run), None, None
        now = (run, batches[-1])
        if known is not None and tuple(known) == now:
            return (gr.skip(),) * 4
        if known is not None and known[0] == run:
            return batch_slider(batches), gr.skip(), gr.skip(), now
        batch = nearest_batch(batches, wanted if known is None else None)
        gallery = self._show_gallery(run, batch, count, first)
        chosen = gr.skip() if known is None else None
        return batch_slider(batches, batch), gallery, chosen, now

    def _points(
        self, run: str, position: float, count: int, first: int
    ) -> tuple[int, list[LatentPoint]]:
        """The batch and the cities that the gallery shows there."""
        batch = nearest_batch(self._app.batches(run), position)
        numbers = range(first, first + int(count))
        z_dim = self._app.picture_cache.z_dim(run)
        return batch, points_at(self._app.workspace, run, batch, numbers, z_dim)

    def _show_gallery(self, run: str | None, position: float, count: int, first: int) -> Markup:
        if run is None or not self._app.batches(run):
            return nothing_yet(run)
        batch, points = self._points(run, position, count, first)
        sources = self._app.picture_cache.show(run, batch, points)
        thumbnails = [
            markup.Thumbnail(source, point.label, point.label, batch=batch)
            for source, point in zip(sources, points, strict=True)
        ]
        hint = markup.note("Press a city to see which ones are near it.")
        credit = markup.credit(self._app.attribution(run))
        grid = markup.picture_grid(thumbnails, columns=MANY_COLUMNS if count > MANY else COLUMNS)
        return Markup('<div class="card">{}{}{}</div>').format(grid, hint, credit)

    def _show_at(
        self, run: str | None, position: float, count: int, first: int
    ) -> tuple[Markup, int | None]:
        """The gallery, and the batch at which it is drawn."""
        kept = self._app.batches(run)
        batch = nearest_batch(kept, position) if kept else None
        return self._show_gallery(run, position, count, first), batch

    def _show_others(
        self, run: str | None, position: float, count: int, first: int
    ) -> tuple[Markup, int]:
        first += int(count)
        return self._show_gallery(run, position, count, first), first

    def _choose(
        self, run: str, position: float, count: int, first: int, event: gr.EventData
    ) -> Chosen:
        """Choose a city; its neighbours are looked for among all that were shown there."""
        batch = nearest_batch(self._app.batches(run), position)
        return Chosen(require_point_label(str(event.label)), batch, first + int(count))


def _split_chosen(chosen: Chosen | None) -> dict[str, Any]:
    """The parts of an address that stand for the chosen city."""
    if chosen is None:
        return {}
    return {"city": chosen.label, "seen": chosen.batch, "shown": chosen.shown}
