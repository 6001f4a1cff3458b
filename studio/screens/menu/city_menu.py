"""The menu of a city: the same one wherever a city is shown, on all screens."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from studio.screens.menu.city_actions import CHOOSING, MENU, STAR, do_with_city
from studio.screens.parts.app_context import EACH_TIME, EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.assets import read_asset
from studio.screens.parts.browser.news import own_event
from studio.specimens.specimen_pages import is_starred
from studio.specimens.specimens import seen_among
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.names import read_whole, require_point_label, require_run_name


class CityMenu:
    """Opens at the button of a city's picture, `markup.menu_button`, and at the atlas.

    What chooses the city is done by Explore, which the menu opens for it.
    """

    def __init__(self, app: AppContext) -> None:
        self._app = app

        def starred(city: Any) -> bool:
            return self.is_starred(city)

        entries = json.dumps([[what, text, what in CHOOSING] for what, text in MENU.items()])
        menu = gr.HTML(
            visible="hidden",
            html_template="",
            js_on_load=read_asset(__package__, "city_menu.js").replace("[/* entries */]", entries),
            server_functions=[starred],
        )
        gr.on(
            [own_event(menu, "ask")],
            show_errors(self._do),
            app.stars,
            app.stars,
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )

    def is_starred(self, city: Any) -> bool:
        """Whether a city has a star, which the page asks as the menu opens.

        Args:
            city: its run and its label, or anything else, which has none: the menu says what is
                wrong with it once something is pressed.
        """
        if not isinstance(city, dict):
            return False
        try:
            run = require_run_name(str(city.get("run")))
            return is_starred(self._app.workspace, run, require_point_label(str(city.get("label"))))
        except EXPECTED_ERRORS:
            return False

    def _do(self, stars: int, event: gr.EventData) -> Any:
        """Do what was pressed, with the city that the page names."""
        run, label, batch, what = read_asked(self._app, event)
        if what in CHOOSING:
            raise StudioError("Explore does that. Press it again once Explore is open.")
        do_with_city(self._app, run, label, batch, what, str(event.tag))
        return stars + 1 if what == STAR else gr.skip()


def read_asked(app: AppContext, event: gr.EventData) -> tuple[str, str, int, str]:
    """The run, the city, the batch and the entry that a page sends, which may be anything.

    Without a batch it is the one at which the city is shown elsewhere: its own, else the last.

    Raises:
        StudioError: there is no such run, city, batch or entry.
    """
    run, label = require_run_name(str(event.run)), require_point_label(str(event.label))
    written, what = str(event.batch), str(event.what)
    number = read_whole(written)
    if what not in MENU or (written and number is None):
        raise StudioError("The page asks for something that the menu of a city does not have.")
    kept = app.batches(run)
    if not kept:
        raise StudioError(f"Run '{run}' has no checkpoints yet. Train it first.")
    batch = seen_among(kept, label) if number is None else number
    if batch not in kept:
        raise StudioError(f"Run '{run}' has no checkpoint at batch {batch:,} any more.")
    return run, label, batch, what
