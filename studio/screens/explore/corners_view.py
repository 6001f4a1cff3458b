"""A grid of cities between four: the corners are the ones that were chosen last."""

from __future__ import annotations

from typing import cast

import gradio as gr
from markupsafe import Markup

from checkpoints_index.storage.catalogue import open_catalogue
from latent.points import LatentPoint
from studio.actions.action import words_of
from studio.actions.declared.latent.mixing_actions import Corners, CornersResult
from studio.exploration.mixtures import blend
from studio.screens.explore.near_view import Chosen
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.specimens.points import resolve_points
from studio.workspace.errors import StudioError

CORNERS = 4
SIZES = [3, 5, 7, 9]


class CornersView:
    """Draws the grid as soon as there are four cities; `Draw it as a sheet` makes a file of it."""

    def __init__(self, app: AppContext, chosen: gr.State, lately: gr.State) -> None:
        self._app = app
        with gr.Tab("Between four", id="four"):
            view = gr.HTML(_NO_CORNERS, elem_id="corners")
            with gr.Row(equal_height=True):
                size = gr.Dropdown(SIZES, value=SIZES[1], label="Cities in a row", min_width=100)
                drawn = gr.Button("Draw it as a sheet", size="md", elem_id="draw-corners")
            command, sheet = markup.pressable(), gr.HTML()
        app.keep_form("four", [size])
        asked = [app.run, chosen, lately, size]
        gr.on(
            [lately.change, size.change],
            show_errors(self._show),
            asked,
            [view, command],
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )
        drawn.click(show_errors(self._draw), asked, sheet, **EVENT_DEFAULTS)

    def _show(
        self, run: str | None, chosen: Chosen | None, lately: list[str], size: int
    ) -> tuple[Markup, Markup]:
        if run is None or chosen is None or len(lately) < CORNERS:
            return _missing(len(lately) if chosen else 0), markup.NOTHING
        corners = resolve_points(self._app.workspace, run, lately)
        grid = blend(open_catalogue(self._app.workspace.runs, run).spec, corners, size, size)
        points = [
            LatentPoint(_place(row, column, size, lately), z)
            for row, line in enumerate(grid)
            for column, z in enumerate(line)
        ]
        sources = self._app.picture_cache.show(run, chosen.batch, points)
        figures = markup.join(
            markup.captioned(source, point.label, _menu(point.label, chosen.batch))
            for source, point in zip(sources, points, strict=True)
        )
        body = Markup('<div class="corners" style="--columns:{}">{}</div>{}').format(
            size, figures, markup.credit(self._app.attribution(run))
        )
        title = f"Between {', '.join(lately)} at batch {chosen.batch:,}"
        return markup.card(title, body), markup.command(
            words_of(_action(run, chosen, lately, size))
        )

    def _draw(self, run: str | None, chosen: Chosen | None, lately: list[str], size: int) -> Markup:
        if run is None or chosen is None or len(lately) < CORNERS:
            raise StudioError("A grid has four corners: choose four cities first.")
        action = _action(run, chosen, lately, size)
        made = cast(CornersResult, self._app.perform(action))
        return markup.downloads([made.path])


def _action(run: str, chosen: Chosen, corners: list[str], size: int) -> Corners:
    fields = {"run": run, "corners": tuple(corners), "batch": chosen.batch}
    return Corners.read({**fields, "columns": size})


def _place(row: int, column: int, size: int, corners: list[str]) -> str:
    """What stands under a picture of the grid: the city at a corner, else nothing."""
    places = ((0, 0), (0, size - 1), (size - 1, 0), (size - 1, size - 1))
    return dict(zip(places, corners, strict=True)).get((row, column), "")


def _menu(label: str, batch: int) -> Markup:
    """The menu of a city at a corner; what lies between is no city of the run yet."""
    return markup.menu_button(label, batch) if label else markup.NOTHING


def _missing(found: int) -> Markup:
    if not found:
        return _NO_CORNERS
    more = CORNERS - found
    return markup.empty(
        f"{more} more {'city' if more == 1 else 'cities'}",
        "Press others among the random ones or on the atlas: the last four are the corners.",
    )


_NO_CORNERS = markup.empty(
    "Choose four cities",
    "Press them among the random ones or on the atlas: the grid between them fills itself.",
)
