"""The menu of a city: the same one wherever a city is shown, on pictures and on the map."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from studio.screens.explore.city_actions import LOOK, MENU, NEAR, STAR, WALK, do_with_city
from studio.screens.explore.near_view import Chosen
from studio.screens.parts.app_context import EACH_TIME, EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.assets import read_asset
from studio.screens.parts.browser.news import own_event
from studio.specimens.points import resolve_point
from studio.workspace.errors import StudioError
from studio.workspace.names import require_batch, require_point_label

SHOWN = 24  # Cities that a chosen one is compared with, besides the specimens.
MAX_NUMBER = 15  # Digits of a batch that a page may send.


class CityMenu:
    """Opens at the button of a city's picture, `markup.menu_button`, and at the map.

    Args:
        lately: the last cities that were chosen.
        places, place: the ways to find cities, and the state of the one that is open.
        stars: a state that changes when a star was given or taken.
    """

    def __init__(
        self,
        app: AppContext,
        chosen: gr.State,
        lately: gr.State,
        places: gr.Tabs,
        place: gr.State,
        stars: gr.State,
    ) -> None:
        self._app = app
        script = read_asset(__package__, "city_menu.js")
        menu = gr.HTML(
            visible="hidden",
            html_template="",
            js_on_load=script.replace("[/* entries */]", json.dumps(list(MENU.items()))),
        )
        gr.on(
            [own_event(menu, "ask")],
            show_errors(self._do),
            [app.run, chosen, stars],
            [chosen, lately, places, place, stars],
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )

    def _do(
        self, run: str | None, chosen: Chosen | None, stars: int, event: gr.EventData
    ) -> tuple[Any, ...]:
        """Do what was pressed, with the city that the page names.

        Returns:
            The chosen city, the last ones, which way to find cities is open, and the stars.
        """
        stay = (gr.skip(),) * 5
        if run is None:
            return stay
        label, batch, what = _read(event)
        if batch not in self._app.batches(run):
            raise StudioError(f"Run '{run}' has no checkpoint at batch {batch:,} any more.")
        if what in (LOOK, NEAR, WALK):
            label = resolve_point(self._app.workspace, run, label).label
            shown = chosen.shown if chosen is not None and chosen.batch == batch else SHOWN
            city = Chosen(label, batch, shown)
            if what != WALK:
                return city, *stay[1:]
            gr.Info("Press another city: the walk goes from this one to that.")
            return city, [label], gr.Tabs(selected=WALK), WALK, gr.skip()
        do_with_city(self._app, run, label, batch, what, str(event.tag))
        return *stay[:4], stars + 1 if what == STAR else gr.skip()


def _read(event: gr.EventData) -> tuple[str, int, str]:
    """The city, the batch and the entry of the menu that a page sends, which may be anything.

    Raises:
        StudioError: there is no such city, batch or entry.
    """
    label, batch, what = str(event.label), str(event.batch), str(event.what)
    fits = batch.isascii() and batch.isdecimal() and len(batch) <= MAX_NUMBER
    if what not in MENU or not fits:
        raise StudioError("The page asks for something that the menu of a city does not have.")
    return require_point_label(label), require_batch(int(batch)), what
