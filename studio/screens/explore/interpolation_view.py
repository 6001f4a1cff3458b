"""A way between two cities, as far as the slider says, and its film."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import gradio as gr
import torch
from markupsafe import Markup
from torch import Tensor

from checkpoints_index.storage.catalogue import open_catalogue
from latent.nearness.features import Space
from latent.points import LatentPoint
from studio.actions.action import words_of
from studio.actions.declared.film_actions import RenderInterpolation
from studio.nearness.routes import BLENDS, GRAPH, GREAT_CIRCLE, STRAIGHT, Route, find_route
from studio.screens.explore.corners_view import CORNERS
from studio.screens.explore.near_view import Chosen
from studio.screens.parts import markup
from studio.screens.parts.app_context import EACH_TIME, EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.jobs_view import announce_submitted
from studio.screens.parts.picture_cache import LARGE_PX
from studio.specimens.points import resolve_points
from studio.workspace.errors import StudioError

STEPS = 40  # Steps of the slider from one city to the other.
WAYS = (GREAT_CIRCLE, STRAIGHT, GRAPH)
MAX_ROUTES = 16  # So many searched ways are remembered.


class InterpolationView:
    """Shows the two cities that were chosen last, and one in between.

    Attributes:
        lately: the state of the last cities that were chosen, the newest last.
    """

    def __init__(self, app: AppContext, chosen: gr.State) -> None:
        self._app = app
        self._routes: OrderedDict[tuple[str, ...], Route] = OrderedDict()
        with gr.Tab("Walk between two", id="walk"):
            self.lately = lately = gr.State([])
            view = gr.HTML(_NO_ENDS, elem_id="interpolation")
            slider = gr.Slider(0, STEPS, STEPS // 2, label="How far on the way", step=1)
            with gr.Row(equal_height=True):
                way = gr.Radio(
                    [(_named(way), way) for way in WAYS],
                    value=GREAT_CIRCLE,
                    label="Way",
                    scale=3,
                    elem_id="way",
                )
                film = gr.Button("Film this way", size="md", interactive=False, elem_id="film-way")
            command = markup.pressable()
        app.keep_form("walk", [slider, way])
        chosen.change(_extend, [lately, chosen], lately, **EACH_TIME, **EVENT_DEFAULTS)
        app.address.hold_several(
            "Explore",
            lately,
            lambda ends: {"ends": ends} if len(ends) > 1 else {},
            lambda parts: list(parts.get("ends", ()))[:CORNERS],
        )
        asked = [app.run, chosen, lately, way]
        gr.on(
            [lately.change, slider.change, way.change],
            show_errors(self._show),
            [*asked, slider],
            [view, command],
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )
        lately.change(
            lambda ends: gr.Button(interactive=len(ends) > 1),
            lately,
            film,
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        film.click(show_errors(self._film), asked, None, **EVENT_DEFAULTS)

    def _show(
        self, run: str | None, chosen: Chosen | None, lately: list[str], way: str, step: float
    ) -> tuple[Markup, Markup]:
        if run is None or chosen is None or len(lately) < 2:
            return _one_end(lately) if chosen and lately else _NO_ENDS, markup.NOTHING
        batch, (a, b) = chosen.batch, lately[-2:]
        stops, said = self._stops(run, batch, (a, b), way)
        points = resolve_points(self._app.workspace, run, stops)
        fraction = step / STEPS
        between = LatentPoint("between", self._between(run, [p.z for p in points], way, fraction))
        ends = self._app.picture_cache.show(run, batch, [points[0], points[-1]])
        middle = self._app.picture_cache.show(run, batch, [between], LARGE_PX)[0]
        captions = (a, f"{fraction:.0%} of the way", b)
        pictures = (ends[0], middle, ends[1])
        menus = markup.menu_button(a, batch), markup.NOTHING, markup.menu_button(b, batch)
        figures = markup.join(map(markup.captioned, pictures, captions, menus))
        body = Markup('<div class="interpolation">{}</div>').format(figures)
        body += markup.join(map(markup.note, said)) + markup.credit(self._app.attribution(run))
        title = f"From {a} to {b} at batch {batch:,}"
        return markup.card(title, body), markup.command(words_of(_action(run, batch, stops, way)))

    def _stops(
        self, run: str, batch: int, ends: tuple[str, str], way: str
    ) -> tuple[list[str], list[str]]:
        """The cities on a way, and what is to be said of it."""
        if way != GRAPH:
            return list(ends), []
        route = self._route(run, batch, ends)
        if GRAPH not in route.ways:
            raise StudioError(f"No way over other cities joins {ends[0]} and {ends[1]}.")
        stops, own = route.ways[GRAPH], route.own_lengths
        lengths = ", ".join(f"{_named(name).lower()} {own[name]:.3g}" for name in own)
        return stops, [
            " → ".join(stops),
            f"How far the picture travels, {route.metric} in {route.space}: {lengths}.",
        ]

    def _route(self, run: str, batch: int, ends: tuple[str, str]) -> Route:
        """The ways at a checkpoint, searched once."""
        key = (run, self._app.picture_cache.digest(run, batch), *ends)
        if key not in self._routes:
            space = Space("pictures")
            self._routes[key] = find_route(self._app.workspace, run, ends, space, at_batch=batch)
            while len(self._routes) > MAX_ROUTES:
                self._routes.popitem(last=False)
        return self._routes[key]

    def _between(self, run: str, stops: list[Tensor], way: str, fraction: float) -> Tensor:
        """The point so far on the way, as the film of it shows it."""
        spec = open_catalogue(self._app.workspace.runs, run).spec
        place = fraction * (len(stops) - 1)
        first = min(int(place), len(stops) - 2)
        a, b = (spec.unshape_z(stop) for stop in stops[first : first + 2])
        return spec.shape_z(BLENDS[way](a, b, torch.tensor([place - first]))[0])

    def _film(self, run: str | None, chosen: Chosen | None, lately: list[str], way: str) -> None:
        """Queue the film of the way that shows."""
        if run is None or chosen is None or len(lately) < 2:
            raise StudioError("Choose two cities: the film goes from the first to the second.")
        a, b = lately[-2:]
        stops, _ = self._stops(run, chosen.batch, (a, b), way)
        job = self._app.submit(_action(run, chosen.batch, stops, way))
        begun = f"The way from {a} to {b} is filmed as job {job.id}; the film comes under Render."
        announce_submitted(self._app.workspace, job, begun)


def _action(run: str, batch: int, stops: list[str], way: str) -> RenderInterpolation:
    kind: dict[str, Any] = {"kind": "linear"} if way == STRAIGHT else {}
    return RenderInterpolation.read({"run": run, "points": stops, "batch": batch, **kind})


def _named(way: str) -> str:
    return {GRAPH: "Over other cities"}.get(way, way.capitalize())


def _extend(lately: list[str], chosen: Chosen | None) -> list[str]:
    """The last cities that were chosen, the newest last; none for a new run."""
    if chosen is None:
        return []
    return [*[label for label in lately if label != chosen.label], chosen.label][-CORNERS:]


def _one_end(lately: list[str]) -> Markup:
    return markup.empty(
        f"From {lately[-1]} to ...",
        "Press another city, among those that are near it, the random ones or on the atlas: the "
        "walk goes there.",
    )


_NO_ENDS = markup.empty(
    "Choose two cities",
    "Press one city, then another, among the random ones or on the atlas: the walk goes from the "
    "first to the second along a great circle, a straight line, or over cities in between.",
)
