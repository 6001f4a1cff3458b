"""What the menu of a city leaves to Explore: to look at the city, and to walk from it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.screens.explore.near_view import Chosen
from studio.screens.menu.city_actions import CHOOSING, WALK
from studio.screens.menu.city_menu import read_asked
from studio.screens.parts.app_context import EACH_TIME, EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.assets import read_asset
from studio.screens.parts.browser.news import own_event
from studio.specimens.points import resolve_point
from studio.workspace.errors import StudioError

SHOWN = 24  # Cities that a chosen one is compared with, besides the specimens.


class CityChoice:
    """Is told by the menu, through `studio.chooseCity`, as long as Explore is laid out.

    Args:
        lately: the last cities that were chosen.
        places, place: the ways to find cities, and the state of the one that is open.
    """

    def __init__(
        self, app: AppContext, chosen: gr.State, lately: gr.State, places: gr.Tabs, place: gr.State
    ) -> None:
        self._app = app
        script = read_asset(__package__, "city_choice.js")
        told = gr.HTML(visible="hidden", html_template="", js_on_load=script)
        gr.on(
            [own_event(told, "choose")],
            show_errors(self._choose),
            [app.run, chosen],
            [chosen, lately, places, place],
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )

    def _choose(
        self, run: str | None, chosen: Chosen | None, event: gr.EventData
    ) -> tuple[Any, ...]:
        """The chosen city, the last ones, and which way to find cities is open."""
        stay = (gr.skip(),) * 4
        asked, label, batch, what = read_asked(self._app, event)
        if what not in CHOOSING:
            raise StudioError("The menu does that without choosing the city.")
        if asked != run:  # Another run was chosen since.
            return stay
        label = resolve_point(self._app.workspace, run, label).label
        shown = chosen.shown if chosen is not None and chosen.batch == batch else SHOWN
        city = Chosen(label, batch, shown)
        if what != WALK:
            return city, *stay[1:]
        gr.Info("Press another city: the walk goes from this one to that.")
        return city, [label], gr.Tabs(selected=WALK), WALK
