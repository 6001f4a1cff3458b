"""The chosen city, large, and its nearest neighbours among the specimens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import gradio as gr
from markupsafe import Markup

from studio.actions.action import words_of
from studio.actions.declared.nearness_actions import Near
from studio.actions.declared.specimen_actions import SpecimensStar
from studio.nearness.searches import find_near
from studio.screens.menu.city_actions import EXPORT, LIFE, do_with_city
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.feature_cache import FeatureCache
from studio.screens.parts.picture_cache import LARGE_PX
from studio.specimens.points import resolve_points
from studio.specimens.specimen_pages import is_starred
from studio.workspace.names import require_point_label

NEIGHBOURS = 8
BUTTONS = {LIFE: "Film its life", EXPORT: "Export"}  # Entries of its menu that stand open.


class Chosen(NamedTuple):
    """The city that was chosen.

    Attributes:
        batch: the checkpoint at which it was seen.
        shown: so many cities, `BATCH.0` and on, are compared with it besides the specimens.
        space: what they are to be compared in; None leaves that as it is.
    """

    label: str
    batch: int
    shown: int
    space: str | None = None


class NearView:
    """Follows the chosen city; pressing a neighbour chooses that one.

    Args:
        near: what the map is told of the city and its neighbours.
        stars: a state that changes when a star was given or taken elsewhere.
    """

    def __init__(
        self,
        app: AppContext,
        chosen: gr.State,
        near: gr.JSON,
        stars: gr.State,
        spaces: Sequence[str],
        metrics: Sequence[str],
    ) -> None:
        self._app, self._features = app, FeatureCache()
        view = markup.pressable(_NOTHING_CHOSEN, elem_id="near")
        with gr.Row():
            space = gr.Dropdown(list(spaces), value=spaces[0], label="Compare their", min_width=100)
            metric = gr.Dropdown(list(metrics), value=metrics[0], label="Distance", min_width=100)
        command = markup.pressable()
        app.keep_form("near", [space, metric])
        chosen.change(
            lambda chosen: (chosen and chosen.space) or gr.skip(), chosen, space, **EVENT_DEFAULTS
        )
        asked = [app.run, chosen, space, metric]
        gr.on(
            [chosen.change, space.change, metric.change, stars.change],
            show_errors(self._show),
            asked,
            [view, command, near],
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )
        app.on_press(view, self._press, asked, [chosen, view])

    def _show(
        self, run: str | None, chosen: Chosen | None, space: str, metric: str
    ) -> tuple[Markup, Markup, dict[str, Any] | None]:
        if run is None or chosen is None:
            return _NOTHING_CHOSEN, markup.NOTHING, None
        asked = Near.read(
            {
                **{"run": run, "point": chosen.label, "at_batch": chosen.batch},
                **{"k": NEIGHBOURS, "space": space, "metric": metric, "shown": chosen.shown},
            }
        )
        labels, drawn = self._draw(run, chosen, space, metric)
        told = {"label": chosen.label, "neighbours": labels}
        return drawn, markup.command(words_of(asked)), told

    def _draw(self, run: str, chosen: Chosen, space: str, metric: str) -> tuple[list[str], Markup]:
        """The labels of the neighbours, and the card that shows them."""
        (label, batch, shown, _), workspace = chosen, self._app.workspace
        picture_cache = self._app.picture_cache
        describe = partial(self._features.describe, picture_cache.digest(run, batch))
        nearest = find_near(
            *(workspace, run, [label], NEIGHBOURS, space, metric, batch),
            shown=shown,
            describe=describe,
        )
        neighbours = nearest.found[0].neighbours
        labels = [near for near, _ in neighbours]
        points = resolve_points(workspace, run, [label, *labels])
        large = picture_cache.show(run, batch, points[:1], LARGE_PX)[0]
        thumbnails = [
            markup.Thumbnail(source, near, f"{near} · {distance:.3g}", batch=batch)
            for source, (near, distance) in zip(
                picture_cache.show(run, batch, points[1:]), neighbours, strict=True
            )
        ]
        head = Markup(
            '<div class="two"><img class="picture-large" src="{source}" alt="City {label}"><div>'
            '<div class="quiet small">batch {batch:,}</div><div class="line city-line">{star}</div>'
            '<p class="small quiet">Its nearest among the specimens of this run and the cities '
            "that were shown, by {metric} distance in {space}; the number is the distance.</p>"
            "</div></div>"
            '<div style="height:12px"></div>'
        ).format(
            source=large,
            label=label,
            batch=batch,
            metric=metric,
            space=space,
            star=self._star(run, label) + _BUTTONS + markup.menu_button(label, batch),
        )
        grid = markup.picture_grid(thumbnails, columns=4)
        credit = markup.credit(self._app.attribution(run))
        return labels, markup.card(f"City {label}", head + grid + credit)

    def _star(self, run: str, label: str) -> Markup:
        starred = is_starred(self._app.workspace, run, label)
        text = "★ Starred" if starred else "☆ Star it"
        return markup.button(text, "star", label=label, starred=int(starred))

    def _press(
        self,
        run: str,
        chosen: Chosen | None,
        space: str,
        metric: str,
        event: gr.EventData,
    ) -> tuple[Any, Any]:
        """Choose a neighbour, or star the chosen city."""
        if chosen is None:
            return gr.skip(), gr.skip()
        if event.action == "choose":
            label = require_point_label(str(event.label))
            return chosen._replace(label=label, space=None), gr.skip()
        if event.action in BUTTONS:
            do_with_city(self._app, run, chosen.label, chosen.batch, event.action)
            return gr.skip(), gr.skip()
        undo = event.starred != "0"
        self._app.perform(SpecimensStar(run=run, labels=(event.label,), undo=undo))
        return gr.skip(), self._draw(run, chosen, space, metric)[1]


_BUTTONS = markup.join(markup.button(text, what, quiet=True) for what, text in BUTTONS.items())
_NOTHING_CHOSEN = markup.empty(
    "No city chosen", "Press a city on the left: it shows here, with the ones that are near it."
)
