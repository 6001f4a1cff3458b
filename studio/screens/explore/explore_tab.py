"""The tab Explore: random cities, an atlas, an interpolation, and the neighbours of a city."""

from __future__ import annotations

from typing import Any, ClassVar

import gradio as gr
from markupsafe import Markup

from latent.features import METRICS, SPACES
from latent.points import LatentPoint
from studio.screens.explore.atlas_view import AtlasView
from studio.screens.explore.interpolation_view import InterpolationView
from studio.screens.explore.near_view import NearView
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EVENT_DEFAULTS,
    AppContext,
    batch_slider,
    nearest_batch,
    nothing_yet,
    show_errors,
)
from studio.specimens.points import SAMPLED, keep_points, points_at

COUNTS = [12, 24, 48, 96]
COLUMNS, MANY, MANY_COLUMNS = 6, 12, 8  # More cities than MANY stand in more columns.


class ExploreScreen:
    """Ways to find cities on the left; the chosen one and its neighbours on the right.

    The chosen city is a state (label, batch), which all of these set and all views follow.
    """

    TITLE: ClassVar[str] = "Explore"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with app.tab(self.TITLE) as tab, gr.Row(equal_height=False):
            self._first, self._known, self._chosen = gr.State(0), gr.State(), gr.State()
            with gr.Column(scale=7, min_width=500), gr.Tabs(elem_id="places"):
                with gr.Tab("Random cities"):
                    self._lay_out_gallery()
                AtlasView(app, tab, self._chosen)
                InterpolationView(app, self._chosen)
            with gr.Column(scale=4, min_width=340):
                NearView(app, self._chosen, list(SPACES), list(METRICS))
        self._connect(tab)

    def _lay_out_gallery(self) -> None:
        with gr.Row(equal_height=True):
            self._slider = gr.Slider(0, 1, 0, label="At batch", step=1, scale=4)
            self._count = gr.Dropdown(COUNTS, value=24, label="Cities", min_width=80)
            self._others = gr.Button("Other cities", size="md", min_width=110, elem_id="others")
        self._gallery = markup.pressable(elem_id="gallery")

    def _connect(self, tab: gr.Tab) -> None:
        run, view = self._app.run, [self._slider, self._count, self._first]
        outputs = [self._slider, self._gallery, self._chosen, self._known]
        seen = [self._count, self._first, self._known]
        self._app.keep_current(tab, self._refresh, seen, outputs, clock=True)
        gr.on(
            [self._slider.change, self._count.change],
            show_errors(self._show_gallery),
            [run, *view],
            self._gallery,
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )
        self._others.click(
            show_errors(self._show_others),
            [run, *view],
            [self._gallery, self._first],
            **EVENT_DEFAULTS,
        )
        self._gallery.click(show_errors(self._choose), [run, *view], self._chosen, **EVENT_DEFAULTS)

    def _refresh(
        self,
        run: str | None,
        count: int,
        first: int,
        known: tuple[str, int] | None,
    ) -> tuple[Any, ...]:
        """Another run begins anew; more checkpoints only lengthen the slider."""
        batches = self._app.batches(run)
        if run is None or not batches:
            return batch_slider([]), nothing_yet(run), None, None
        now = (run, batches[-1])
        if known is not None and tuple(known) == now:
            return (gr.skip(),) * 4
        if known is not None and known[0] == run:
            return batch_slider(batches), gr.skip(), gr.skip(), now
        gallery = self._show_gallery(run, batches[-1], count, first)
        return batch_slider(batches, batches[-1]), gallery, None, now

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
            markup.Thumbnail(source, point.label, point.label)
            for source, point in zip(sources, points, strict=True)
        ]
        hint = markup.note("Press a city to see which ones are near it.")
        credit = markup.credit(self._app.attribution(run))
        grid = markup.picture_grid(thumbnails, columns=MANY_COLUMNS if count > MANY else COLUMNS)
        return Markup('<div class="card">{}{}{}</div>').format(grid, hint, credit)

    def _show_others(
        self, run: str | None, position: float, count: int, first: int
    ) -> tuple[Markup, int]:
        first += int(count)
        return self._show_gallery(run, position, count, first), first

    def _choose(
        self, run: str, position: float, count: int, first: int, event: gr.EventData
    ) -> tuple[str, int]:
        """Keep the cities on the page as specimens, so that the neighbours are among them."""
        batch, points = self._points(run, position, count, first)
        keep_points(self._app.workspace, run, points, SAMPLED)
        return event.label, batch
