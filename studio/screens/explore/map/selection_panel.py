"""What can be done with several cities that were chosen on a map at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr
from markupsafe import Markup

from studio.actions.action import Action, words_of
from studio.actions.declared.specimen_actions import (
    SpecimenList,
    SpecimensExport,
    SpecimensMark,
    SpecimensStar,
)
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EACH_TIME,
    EVENT_DEFAULTS,
    AppContext,
    nearest_batch,
    show_errors,
)
from studio.specimens.points import resolve_points
from studio.workspace.errors import StudioError

MAX_CHOSEN, SHOWN, COLUMNS = 500, 24, 12


class ChosenCities(NamedTuple):
    """The labels of the cities that were chosen together, and their run."""

    run: str | None
    labels: tuple[str, ...]


class SelectionPanel:
    """Shows the cities inside a line; stars, tags or exports all of them.

    Attributes:
        view: where they are shown; pressing one is the action `choose`.
    """

    def __init__(self, app: AppContext, place: gr.HTML) -> None:
        self._app = app
        chosen = gr.State(_NONE)
        with gr.Column(visible=False, elem_id="selection") as panel:
            self.view = view = markup.pressable()
            with gr.Row(equal_height=True):
                star = gr.Button("Star them", size="md", min_width=90)
                tag = gr.Textbox(
                    label="Tag",
                    placeholder="river",
                    show_label=False,
                    container=False,
                    min_width=90,
                )
                mark = gr.Button("Tag them", size="md", min_width=90)
                export = gr.Button("Export as JPEGs", size="md", min_width=110)
            done = markup.pressable()
        place.click(
            show_errors(self._choose), [app.run], [panel, chosen, view, done], **EVENT_DEFAULTS
        )
        app.run.change(
            lambda run, chosen: _HIDDEN if run != chosen.run else (gr.skip(),) * 4,
            [app.run, chosen],
            [panel, chosen, view, done],
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        star.click(show_errors(self._star), chosen, done, **EVENT_DEFAULTS)
        mark.click(show_errors(self._mark), [chosen, tag], done, **EVENT_DEFAULTS)
        export.click(show_errors(self._export), chosen, done, **EVENT_DEFAULTS)

    def _choose(self, run: str | None, event: gr.EventData) -> tuple[Any, ...]:
        if run is None or event.action != "select":
            return (gr.skip(),) * 4
        labels = tuple(str(event.labels).split())
        if not labels:
            return _HIDDEN
        if len(labels) > MAX_CHOSEN:
            raise StudioError(
                f"{len(labels):,} cities are inside the line; at most {MAX_CHOSEN} are "
                "starred, tagged or exported at once. Zoom in, and draw around fewer."
            )
        view = self._show(run, float(event.batch), labels)
        return gr.Column(visible=True), ChosenCities(run, labels), view, markup.NOTHING

    def _show(self, run: str, batch: float, labels: Sequence[str]) -> Markup:
        batch = nearest_batch(self._app.batches(run), batch)
        points = resolve_points(self._app.workspace, run, labels[:SHOWN])
        sources = self._app.picture_cache.show(run, batch, points)
        thumbnails = [
            markup.Thumbnail(source, point.label, point.label, batch=batch)
            for source, point in zip(sources, points, strict=True)
        ]
        title = f"{len(labels):,} cities chosen"
        if len(labels) > SHOWN:
            title += f", the first {SHOWN} are shown"
        return markup.card(title, markup.picture_grid(thumbnails, COLUMNS))

    def _star(self, chosen: ChosenCities) -> Markup:
        run, labels = _require_chosen(chosen)
        return self._do(SpecimensStar(run=run, labels=labels), "starred")

    def _mark(self, chosen: ChosenCities, tag: str) -> Markup:
        run, labels = _require_chosen(chosen)
        if not tag.strip():
            raise StudioError("There is no tag. Write one, such as river, and press again.")
        action = SpecimensMark.read({"run": run, "labels": labels, "tag": tag})
        return self._do(action, "tagged")

    def _export(self, chosen: ChosenCities) -> Markup:
        run, labels = _require_chosen(chosen)
        action = SpecimensExport(run=run, labels=labels)
        exported = self._app.perform(action)
        assert isinstance(exported, SpecimenList)
        where = f"{len(exported.specimens)} in {self._app.workspace.specimens(run)}"
        return markup.note(where, "") + markup.command(words_of(action))

    def _do(self, action: Action, done: str) -> Markup:
        self._app.perform(action)
        return markup.note(f"They are {done}.", "") + markup.command(words_of(action))


def _require_chosen(chosen: ChosenCities) -> tuple[str, tuple[str, ...]]:
    if chosen.run is None or not chosen.labels:
        raise StudioError("No city is chosen. Draw a line around some on the map.")
    return chosen.run, chosen.labels


_NONE = ChosenCities(None, ())
_HIDDEN = gr.Column(visible=False), _NONE, markup.NOTHING, markup.NOTHING
