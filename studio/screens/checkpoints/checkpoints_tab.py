"""The tab Checkpoints: a run along its timeline, what is kept of it, and what changes that."""

from __future__ import annotations

from typing import Any, ClassVar

import gradio as gr

from checkpoints_index.storage.catalogue import list_runs
from studio.actions.declared.specimen_actions import SpecimensStar
from studio.runs.pins import list_pins, specimen_batches
from studio.screens.checkpoints.archive_panel import ArchivePanel
from studio.screens.checkpoints.checkpoint_panels import (
    CheckpointPanel,
    JobNews,
    VerifyPanel,
    pin_action,
)
from studio.screens.checkpoints.import_panel import ImportPanel
from studio.screens.checkpoints.publish_panel import PublishPanel
from studio.screens.checkpoints.storage_view import pressed_batch, show_storage
from studio.screens.checkpoints.surgery_panel import SurgeryPanel
from studio.screens.checkpoints.thin_panel import ThinPanel
from studio.screens.checkpoints.timeline.timeline_view import (
    TimelineOnPage,
    View,
    describe_timeline,
)
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    AppContext,
    nearest_batch,
    nothing_yet,
)
from studio.specimens.specimen_pages import starred_labels
from studio.workspace.errors import StudioError
from studio.workspace.names import read_whole, require_batch, require_point_label


class CheckpointsScreen:
    """The timeline of a run, panels that change what is kept, and what is kept, folded away."""

    TITLE: ClassVar[str] = "Checkpoints"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with app.tab(self.TITLE) as tab:
            self._view, self._known = gr.State(), gr.State()
            self._seen = gr.State()  # The run and the batch that the panels are about.
            self._wanted = gr.State()  # The view of an address, until it is shown.
            has_run = bool(list_runs(app.workspace.runs))
            self._empty = markup.pressable(markup.NOTHING if has_run else nothing_yet(None))
            self._timeline = TimelineOnPage()
            with gr.Tabs(elem_id="housekeeping"):
                CheckpointPanel(app, tab, self._seen)
                VerifyPanel(app, tab)
                ThinPanel(app, tab)
                ArchivePanel(app, tab)
                SurgeryPanel(app, tab, self._seen)
                PublishPanel(app, tab, self._seen)
                ImportPanel(app)
            JobNews(app, tab)
            with gr.Accordion("What is kept", open=False, elem_id="kept"):
                self._storage = markup.pressable(elem_id="storage")
        self._connect(tab)

    def _connect(self, tab: gr.Tab) -> None:
        app, run, shown = self._app, self._app.run, self._timeline.shown
        outputs = [self._empty, self._storage, shown, self._view, self._seen, self._known]
        app.keep_current(tab, self._refresh, [self._known, self._wanted], outputs, clock=True)
        app.address.hold_several(
            self.TITLE,
            self._view,
            lambda view: View(*view).to_parts() if view else {},
            View.from_parts,
            self._wanted,
        )
        app.address.begin_anew(self.TITLE, self._known)
        app.on_press(self._timeline.place, self._press, run, [shown, self._view, self._seen])
        app.on_press(
            self._storage, self._choose_place, [run, self._view], [shown, self._view, self._seen]
        )

    def _refresh(
        self, run: str | None, known: list[Any] | None, wanted: View | None
    ) -> tuple[Any, ...]:
        """Another run or address is looked at anew; more checkpoints move nothing.

        Args:
            known: what is drawn; None where the page has just opened, with the view that its
                address wants.
        """
        batches = self._app.batches(run)
        if run is None or not batches:
            return nothing_yet(run), markup.NOTHING, None, None, None, None
        report = self._app.run_cache.storage_report(run)
        specimens = specimen_batches(self._app.workspace, run)
        starred = starred_labels(self._app.workspace, run)
        now = [run, self._app.picture_cache.identity(run), len(batches), batches[-1]]
        now += [report.pinned, len(specimens), starred]
        if known == now:
            return (gr.skip(),) * 6
        storage = show_storage(report, specimens)
        if known is not None and known[:2] == now[:2]:
            told = describe_timeline(self._app, run, batches, None)
            return "", storage, told, gr.skip(), gr.skip(), now
        view = View(*wanted) if wanted and known is None else View(-1)
        batch = nearest_batch(batches, view.batch if view.batch >= 0 else None)
        view = view._replace(batch=batch)
        told = describe_timeline(self._app, run, batches, view)
        return "", storage, told, view, (run, batch), now

    def _press(self, run: str | None, event: gr.EventData) -> tuple[Any, Any, Any]:
        """Keep what is looked at, pin it, or star a city.

        Args:
            event: what was done on the timeline; its values are from outside.
        """
        batches = self._app.batches(run)
        if run is None or not batches:
            return (gr.skip(),) * 3
        if event.action == "look":
            view = read_view(event)._replace(batch=nearest_batch(batches, read_batch(event.batch)))
            return gr.skip(), view, (run, view.batch)
        if event.action == "pin":
            batch = nearest_batch(batches, read_batch(event.batch))
            pinned = batch in list_pins(self._app.workspace, run)
            self._app.perform(pin_action(run, batch, pinned))
            return self._describe(run), gr.skip(), (run, batch)
        label = require_point_label(str(event.label))
        self._app.perform(
            SpecimensStar(run=run, labels=(label,), undo=str(event.starred) == "true")
        )
        return self._describe(run), gr.skip(), gr.skip()

    def _describe(self, run: str, view: View | None = None) -> dict[str, Any]:
        return describe_timeline(self._app, run, self._app.batches(run), view)

    def _choose_place(
        self, run: str | None, view: View | None, event: gr.EventData
    ) -> tuple[Any, Any, Any]:
        """Go to a batch that was pressed in the drawing of what is kept."""
        if run is None or view is None:
            raise StudioError("There is no checkpoint yet. Train a run first, or import one.")
        batch = nearest_batch(self._app.batches(run), pressed_batch(event))
        view = View(*view)._replace(batch=batch)
        return self._describe(run, view), view, (run, batch)


def read_view(event: gr.EventData) -> View:
    """What a page says that it looks at.

    Raises:
        StudioError: it can be no view.
    """
    point = str(event.point or "")
    ends = (event.start, event.end, event.beside)
    start, end, beside = (None if end in (None, "") else read_batch(end) for end in ends)
    return View(
        read_batch(event.batch), require_point_label(point) if point else "", start, end, beside
    )


def read_batch(value: Any) -> int:
    """A batch that a page sent, as a number or as its text.

    Raises:
        StudioError: it is none.
    """
    number = read_whole(value) if isinstance(value, str) else value
    return require_batch(value if number is None else number)
