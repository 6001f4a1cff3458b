"""The tab Explore: random cities, an atlas of them, a walk from one to another; what is near."""

from __future__ import annotations

import gradio as gr

from latent.features import METRICS, SPACES
from latent.points import LatentPoint, sample_points
from studio.screens.explore.atlas_view import AtlasView
from studio.screens.explore.near_view import NearView
from studio.screens.explore.walk_view import WalkView
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EVENT_DEFAULTS,
    AppContext,
    batch_slider,
    nearest_batch,
    nothing_yet,
    show_errors,
)
from studio.specimens.points import SAMPLED, keep_points

COUNTS = [12, 24, 48, 96]


class ExploreScreen:
    """Places to find cities on the left; the chosen one and its neighbours on the right.

    The chosen city is a state (label, batch) that every place sets and every view follows.
    """

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with app.tab("Explore") as tab, gr.Row(equal_height=False):
            self._first, self._known, self._chosen = gr.State(0), gr.State(), gr.State()
            with gr.Column(scale=7, min_width=500), gr.Tabs(elem_id="places"):
                with gr.Tab("Random cities"):
                    self._lay_out_gallery()
                AtlasView(app, tab, self._chosen)
                WalkView(app, self._chosen)
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
        self._app.on_look(
            tab, self._look, [self._count, self._first, self._known], outputs, clock=True
        )
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

    def _look(
        self,
        run: str | None,
        count: int,
        first: int,
        known: tuple[str, int] | None,
    ) -> tuple:
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
        return batch, sample_points(batch, numbers, self._app.picture_cache.z_dim(run))

    def _show_gallery(self, run: str | None, position: float, count: int, first: int) -> str:
        if run is None or not self._app.batches(run):
            return nothing_yet(run)
        batch, points = self._points(run, position, count, first)
        sources = self._app.picture_cache.show(run, batch, points)
        shown = [
            markup.Shown(source, point.label, point.label)
            for source, point in zip(sources, points, strict=True)
        ]
        hint = '<div class="small quiet">Press a city to see which ones are near it.</div>'
        credit = markup.credit(self._app.attribution(run))
        grid = markup.picture_grid(shown, columns=8 if count > 12 else 6)
        return f'<div class="card">{grid}{hint}{credit}</div>'

    def _show_others(
        self, run: str | None, position: float, count: int, first: int
    ) -> tuple[str, int]:
        first += int(count)
        return self._show_gallery(run, position, count, first), first

    def _choose(
        self, run: str, position: float, count: int, first: int, event: gr.EventData
    ) -> tuple[str, int]:
        """Keep the cities on the page as specimens, so that the neighbours are among them."""
        batch, points = self._points(run, position, count, first)
        keep_points(self._app.workspace, run, points, SAMPLED)
        return event.label, batch
