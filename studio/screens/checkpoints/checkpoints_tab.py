"""The tab Checkpoints: what is kept of a run, and what its points looked like at any batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gradio as gr
from markupsafe import Markup

from latent.points import LatentPoint
from renderers.pictures.sheets import grid_columns
from studio.runs.pins import specimen_batches
from studio.screens.checkpoints.archive_panel import ArchivePanel
from studio.screens.checkpoints.checkpoint_panels import CheckpointPanel, JobNews, VerifyPanel
from studio.screens.checkpoints.import_panel import ImportPanel
from studio.screens.checkpoints.storage_view import pressed_batch, show_storage
from studio.screens.checkpoints.thin_panel import ThinPanel
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EVENT_DEFAULTS,
    AppContext,
    batch_slider,
    nearest_batch,
    nothing_yet,
    show_errors,
)
from studio.specimens.points import FIXED, points_of

STRIP = 10  # Pictures that show one point growing.
MAX_POINTS = 16  # Fixed points that are shown at most.


class CheckpointsScreen:
    """The storage of a run, the fixed points at a batch, and panels that change what is kept."""

    TITLE: ClassVar[str] = "Checkpoints"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with app.tab(self.TITLE) as tab:
            self._point, self._known, self._seen = gr.State(""), gr.State(), gr.State()
            self._storage = markup.pressable(nothing_yet(None), elem_id="storage")
            with gr.Row(equal_height=False):
                with gr.Column(scale=5, min_width=360):
                    self._slider = gr.Slider(0, 1, 0, label="Batch", step=1, elem_id="batch")
                    self._sheet = markup.pressable(elem_id="sheet")
                with gr.Column(scale=8, min_width=460):
                    self._strip = markup.pressable(elem_id="strip")
                    with gr.Tabs(elem_id="housekeeping"):
                        CheckpointPanel(app, tab, self._seen)
                        VerifyPanel(app, tab)
                        ThinPanel(app, tab)
                        ArchivePanel(app, tab)
                        ImportPanel(app)
                    JobNews(app, tab)
        self._connect(tab)

    def _connect(self, tab: gr.Tab) -> None:
        app, run = self._app, self._app.run
        pictures = [self._sheet, self._strip, self._seen]
        outputs = [self._storage, self._slider, *pictures, self._point, self._known]
        app.keep_current(tab, self._refresh, [self._known], outputs, clock=True)
        self._slider.change(
            show_errors(self._show_batch),
            [run, self._slider, self._point],
            pictures,
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )
        self._sheet.click(
            show_errors(self._choose_point),
            [run, self._slider],
            [*pictures, self._point],
            **EVENT_DEFAULTS,
        )
        self._strip.click(show_errors(self._choose_batch), None, self._slider, **EVENT_DEFAULTS)
        self._storage.click(show_errors(self._choose_place), run, self._slider, **EVENT_DEFAULTS)

    def _refresh(self, run: str | None, known: list[Any] | None) -> tuple[Any, ...]:
        """Pictures are drawn anew only for another run; more checkpoints move nothing."""
        batches = self._app.batches(run)
        if run is None or not batches:
            return nothing_yet(run), batch_slider([]), *_NO_PICTURES, "", None
        report = self._app.run_cache.storage_report(run)
        specimens = specimen_batches(self._app.workspace, run)
        now = [run, len(batches), batches[-1], report.pinned, len(specimens)]
        if known == now:
            return (gr.skip(),) * 7
        storage = show_storage(report, specimens)
        if known is not None and known[0] == run:
            return storage, batch_slider(batches), *(gr.skip(),) * 4, now
        pictures = self._show_batch(run, batches[-1], "")
        return storage, batch_slider(batches, batches[-1]), *pictures, "", now

    def _show_batch(
        self, run: str | None, position: float, point: str
    ) -> tuple[Markup, Markup, tuple[str, int] | None]:
        """The fixed points at the nearest batch, one of them over time, and that batch."""
        batches = self._app.batches(run)
        if run is None or not batches:
            return _NO_PICTURES
        batch, points = nearest_batch(batches, position), self._points(run)
        if not points:
            return _NO_POINTS, markup.NOTHING, (run, batch)
        chosen = next((p for p in points if p.label == point), points[0])
        sources = self._app.picture_cache.show(run, batch, points)
        thumbnails = [
            markup.Thumbnail(source, p.label, p.label, chosen=p is chosen)
            for source, p in zip(sources, points, strict=True)
        ]
        grid = markup.picture_grid(thumbnails, columns=grid_columns(len(points)))
        sheet = grid + markup.credit(self._app.attribution(run))
        title = f"The fixed points at batch {batch:,}"
        strip = self._draw_strip(run, chosen, batches, batch)
        return markup.card(title, sheet), strip, (run, batch)

    def _draw_strip(
        self, run: str, point: LatentPoint, batches: Sequence[int], current: int
    ) -> Markup:
        """One point at batches over the whole run; pressing one goes there."""
        places = spread(batches, STRIP)
        thumbnails = [
            markup.Thumbnail(
                self._app.picture_cache.show(run, batch, [point])[0],
                str(batch),
                f"{batch:,}",
                chosen=batch == current,
            )
            for batch in places
        ]
        grid = markup.picture_grid(thumbnails, columns=min(len(thumbnails), STRIP // 2))
        hint = markup.note(
            "Press a picture to go to its batch, or one on the left to follow another city."
        )
        return markup.card(f"City {point.label}, growing", grid + hint)

    def _points(self, run: str) -> list[LatentPoint]:
        return points_of(self._app.workspace, run, FIXED)[:MAX_POINTS]

    def _choose_point(self, run: str, position: float, event: gr.EventData) -> tuple[Any, ...]:
        return *self._show_batch(run, position, event.label), event.label

    def _choose_batch(self, event: gr.EventData) -> int:
        return int(event.label)

    def _choose_place(self, run: str | None, event: gr.EventData) -> int:
        return nearest_batch(self._app.batches(run), pressed_batch(event))


def spread(batches: Sequence[int], count: int) -> list[int]:
    """Choose so many batches evenly from the first to the last, or all where there are fewer.

    Example:
        >>> spread([1, 2, 3, 4, 5], 3)
        [1, 3, 5]
    """
    if len(batches) <= count:
        return list(batches)
    return [batches[round(i * (len(batches) - 1) / (count - 1))] for i in range(count)]


_NO_PICTURES = markup.NOTHING, markup.NOTHING, None
_NO_POINTS = markup.empty(
    "No fixed points", "Their places in latent space are lost. Make them anew: studio reindex"
)
