"""The chosen city, large, and its nearest neighbours among the specimens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.feature_cache import FeatureCache
from studio.screens.parts.picture_cache import LARGE_PX
from studio.specimens.nearness import find_near_specimens
from studio.specimens.points import resolve_points
from studio.specimens.specimens import list_specimens, star_specimen

NEIGHBOURS = 8


class NearView:
    """Follows the chosen city; pressing a neighbour chooses that one."""

    def __init__(
        self, app: AppContext, chosen: gr.State, spaces: Sequence[str], metrics: Sequence[str]
    ) -> None:
        self._app, self._features = app, FeatureCache()
        view = markup.pressable(_NOTHING_CHOSEN, elem_id="near")
        with gr.Row():
            space = gr.Dropdown(list(spaces), value=spaces[0], label="Compare their", min_width=100)
            metric = gr.Dropdown(list(metrics), value=metrics[0], label="Distance", min_width=100)
        command = markup.pressable()
        asked = [app.run, chosen, space, metric]
        gr.on(
            [chosen.change, space.change, metric.change],
            show_errors(self._show),
            asked,
            [view, command],
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )
        view.click(show_errors(self._press), asked, [chosen, view], **EVENT_DEFAULTS)

    def _show(
        self, run: str | None, chosen: tuple[str, int] | None, space: str, metric: str
    ) -> tuple[Markup, Markup]:
        if run is None or chosen is None:
            return _NOTHING_CHOSEN, markup.NOTHING
        label, batch = chosen
        words = ["near", run, label, "-k", str(NEIGHBOURS), "--space", space, "--metric", metric]
        words += ["--at-batch", str(batch)]
        return self._draw(run, label, batch, space, metric), markup.command(words)

    def _draw(self, run: str, label: str, batch: int, space: str, metric: str) -> Markup:
        workspace, picture_cache = self._app.workspace, self._app.picture_cache
        describe = partial(self._features.describe, picture_cache.digest(run, batch))
        found = find_near_specimens(
            workspace, run, label, NEIGHBOURS, space, metric, batch, describe
        )
        labels = [near for near, _ in found.neighbours]
        points = resolve_points(workspace, run, [label, *labels])
        large = picture_cache.show(run, batch, points[:1], LARGE_PX)[0]
        thumbnails = [
            markup.Thumbnail(source, near, f"{near} · {distance:.3g}")
            for source, (near, distance) in zip(
                picture_cache.show(run, batch, points[1:]), found.neighbours, strict=True
            )
        ]
        head = Markup(
            '<div class="two"><img class="picture-large" src="{source}" alt="City {label}"><div>'
            '<div class="quiet small">batch {batch:,}</div>{star}'
            '<p class="small quiet">Its nearest among the specimens of this run, by {metric} '
            "distance in {space}; the number is the distance.</p></div></div>"
            '<div style="height:12px"></div>'
        ).format(
            source=large,
            label=label,
            batch=batch,
            metric=metric,
            space=space,
            star=self._star(run, label),
        )
        grid = markup.picture_grid(thumbnails, columns=4)
        credit = markup.credit(self._app.attribution(run))
        return markup.card(f"City {label}", head + grid + credit)

    def _star(self, run: str, label: str) -> Markup:
        starred = any(
            s.label == label and s.starred for s in list_specimens(self._app.workspace, run)
        )
        text = "★ Starred" if starred else "☆ Star it"
        return markup.button(text, "star", label=label, starred=int(starred))

    def _press(
        self,
        run: str,
        chosen: tuple[str, int] | None,
        space: str,
        metric: str,
        event: gr.EventData,
    ) -> tuple[Any, Any]:
        """Choose a neighbour, or star the chosen city."""
        if chosen is None:
            return gr.skip(), gr.skip()
        if event.action == "choose":
            return (event.label, chosen[1]), gr.skip()
        star_specimen(self._app.workspace, run, event.label, event.starred == "0")
        return gr.skip(), self._draw(run, *chosen, space, metric)


_NOTHING_CHOSEN = markup.empty(
    "No city chosen", "Press a city on the left: it shows here, with the ones that are near it."
)
