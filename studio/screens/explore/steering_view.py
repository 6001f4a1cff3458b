"""A city that is steered by sliders: along directions, along one dimension, through training."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, cast

import gradio as gr
from markupsafe import Markup

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.catalogue import open_catalogue
from latent.directions.direction import Direction
from latent.points import LatentPoint
from studio.actions.action import words_of
from studio.actions.declared.latent.steering_actions import Steer, SteeringResult
from studio.exploration.direction_options import Method
from studio.exploration.steering import find_ways, require_steps, steer
from studio.exploration.steering_options import SteeredMethod, Step, read_step
from studio.screens.explore.near_view import Chosen
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EACH_TIME,
    EVENT_DEFAULTS,
    AppContext,
    batch_slider,
    nearest_batch,
    show_errors,
)
from studio.screens.parts.number_field import BatchSlider, NumberField
from studio.screens.parts.picture_cache import LARGE_PX
from studio.specimens.points import resolve_point
from studio.workspace.errors import EXPECTED_ERRORS, StudioError

METHODS = {"pca": "of activations", "sefa": "of first weights"}
SLIDERS, REACH = 6, 4.0  # So many directions, and how far they go, in standard deviations of z.
MAX_KNOWN = 8  # Directions of so many checkpoints and methods are remembered.


class SteeringView:
    """Shows the chosen city where the sliders say; the latest position wins."""

    def __init__(self, app: AppContext, chosen: gr.State) -> None:
        self._app = app
        self._known: OrderedDict[tuple[str, str], list[Direction]] = OrderedDict()
        with gr.Tab("Steer", id="steer") as tab:
            opened = gr.State(False)
            # The steps that the sliders say, those that an address asks for, and the city that
            # they are of.
            along, wanted, begun_with = gr.State(()), gr.State(), gr.State()
            view = gr.HTML(_NO_CITY, elem_id="steered")
            with gr.Row(equal_height=True):
                batch = BatchSlider(0, 1, 0, step=1, label="Through training: batch", scale=3)
                method = gr.Dropdown(
                    [(text, name) for name, text in METHODS.items()],
                    value="pca",
                    label="Directions",
                    min_width=150,
                )
            sliders = self._lay_out_sliders()
            with gr.Row(equal_height=True):
                number = NumberField(0, label="Dimension", precision=0, minimum=0, min_width=90)
                dimension = _slider("How far along it", scale=3)
            with gr.Row():
                back = gr.Button("Back to the city", size="sm", elem_id="steer-back")
                keep = gr.Button("Keep it as a city", size="sm", elem_id="steer-keep")
            command = markup.pressable()
        moved = [*sliders, dimension]
        asked = [app.run, chosen, batch, method, number, *moved]
        named = [opened, app.run, chosen, method]
        tab.select(lambda: True, None, opened, **EVENT_DEFAULTS)
        gr.on(
            [opened.change, method.change],
            self._name,
            named,
            sliders,
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        begun = chosen.change(
            self._begin,
            [app.run, chosen, wanted, begun_with],
            [batch, method, number, *moved, wanted, begun_with, along],
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        app.address.hold_several(
            "Explore",
            along,
            lambda steps: {"along": steps} if steps else {},
            lambda parts: parts.get("along") if "city" in parts else None,
            wanted,
        )
        begun.then(self._name, named, sliders, **EVENT_DEFAULTS)
        gr.on(
            [each.change for each in (opened, chosen, batch, method, number, *moved)],
            show_errors(self._show),
            [opened, *asked],
            [view, command, along],
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )
        back.click(lambda: [0] * len(moved), None, moved, **EVENT_DEFAULTS)
        keep.click(show_errors(self._keep), asked, chosen, **EVENT_DEFAULTS)

    def _lay_out_sliders(self) -> list[Any]:
        sliders = []
        for first in range(0, SLIDERS, 3):
            with gr.Row():
                sliders += [_slider(f"Direction {first + k + 1}") for k in range(3)]
        return sliders

    def _begin(
        self,
        run: str | None,
        chosen: Chosen | None,
        wanted: Sequence[str] | None,
        begun_with: Any,
    ) -> list[Any]:
        """Another city begins where it lies, at the batch at which it was seen.

        Args:
            wanted: steps that it begins with instead, since its address says so.
            begun_with: the run and the city that were begun with. Gradio tells of a change more
                than once, and the sliders may have been moved since.
        """
        known = wanted is None and begun_with == (run, chosen)
        if run is None or chosen is None or known or not (kept := self._app.batches(run)):
            return [gr.skip()] * (SLIDERS + 7)
        slider, steps = batch_slider(kept, chosen.batch), [read_step(text) for text in wanted or ()]
        told = tuple(map(str, steps))
        return [slider, *_positions(steps), None, (run, chosen), told]

    def _name(
        self, opened: bool, run: str | None, chosen: Chosen | None, method: Method
    ) -> list[Any]:
        """Call the sliders by their directions, once somebody looks at them."""
        if not opened or run is None or chosen is None:
            return [gr.skip()] * SLIDERS
        try:
            ways = self._ways(run, chosen.batch, method)
        except EXPECTED_ERRORS:
            ways = []
        ways = ways[:SLIDERS]
        named = [gr.Slider(label=_called(way), interactive=True) for way in ways]
        missing = gr.Slider(label="No such direction", value=0, interactive=False)
        return [*named, *[missing] * (SLIDERS - len(named))]

    def _show(
        self,
        opened: bool,
        run: str | None,
        chosen: Chosen | None,
        at: float,
        method: Method,
        number: int | None,
        *strengths: float,
    ) -> tuple[Any, ...]:
        if not opened or run is None or chosen is None:
            return _NO_CITY, markup.NOTHING, gr.skip() if chosen else ()
        batch = nearest_batch(self._app.batches(run), at)
        steps = _steps(method, number, strengths)
        city = resolve_point(self._app.workspace, run, chosen.label)
        moved = LatentPoint("steered", self._move(run, chosen, city, method, steps))
        before, now = (
            self._app.picture_cache.show(run, batch, [point], LARGE_PX)[0]
            for point in (city, moved)
        )
        said = ", ".join(map(str, steps)) or "where it lies"
        figures = markup.captioned(now, f"{said} · batch {batch:,}") + markup.captioned(
            before, city.label, markup.menu_button(city.label, batch)
        )
        body = Markup('<div class="steered">{}</div>{}').format(
            figures, markup.credit(self._app.attribution(run))
        )
        words = words_of(self._action(run, chosen, steps)) if steps else None
        shown = markup.command(words) if words else markup.NOTHING
        told = tuple(map(str, steps))
        return markup.card(f"City {city.label}, steered", body), shown, told

    def _keep(
        self,
        run: str | None,
        chosen: Chosen | None,
        at: float,
        method: Method,
        number: int | None,
        *strengths: float,
    ) -> Chosen:
        steps = _steps(method, number, strengths)
        if run is None or chosen is None or not steps:
            raise StudioError("Choose a city and move a slider: then there is something to keep.")
        action = self._action(run, chosen, steps).model_copy(update={"keep": True})
        kept = cast(SteeringResult, self._app.perform(action))
        gr.Info(f"City {kept.label} is kept: it is a specimen from now on.")
        return chosen._replace(label=str(kept.label), space=None)

    def _action(self, run: str, chosen: Chosen, steps: Sequence[Step]) -> Steer:
        """What moves the city; directions are those of the batch at which it was seen."""
        fields = {"run": run, "point": chosen.label, "batch": chosen.batch}
        return Steer.read({**fields, "along": ",".join(map(str, steps))})

    def _move(
        self, run: str, chosen: Chosen, city: LatentPoint, method: Method, steps: Sequence[Step]
    ) -> Any:
        """Where the city goes; it is the same place all through training."""
        spec = open_catalogue(self._app.workspace.runs, run).spec
        require_steps(steps, spec)
        named = any(step.method != "z" for step in steps)
        ways = self._ways(run, chosen.batch, method) if named else []
        return steer(spec, city.z, steps, ways)

    def _ways(self, run: str, batch: int, method: Method) -> list[Direction]:
        """The directions of a checkpoint, looked for once."""
        key = self._app.picture_cache.digest(run, batch), method
        if key not in self._known:
            checkpoints = CheckpointIndex(self._app.workspace.runs)[run]
            G = checkpoints.generator(batch)
            self._known[key] = find_ways(self._app.workspace, checkpoints, G, method)
            while len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return self._known[key]


def _steps(method: str, number: int | None, strengths: Sequence[float]) -> list[Step]:
    """What the sliders say: those of directions first, that of the dimension last."""
    *along, single = (round(float(strength or 0), 4) for strength in strengths)
    named = cast(SteeredMethod, method)
    steps = [Step(named, place, strength) for place, strength in enumerate(along) if strength]
    if single and number is not None:
        steps.append(Step("z", int(number), single))
    return steps


def _positions(steps: Sequence[Step]) -> list[Any]:
    """What the method, the dimension and the sliders show for steps; see `_steps`."""
    named = next((step.method for step in steps if step.method in METHODS), None)
    single = next((step for step in steps if step.method == "z"), None)
    positions = {step.number: step.strength for step in steps if step.method == named}
    return [
        gr.skip() if named is None else named,
        gr.skip() if single is None else single.number,
        *(positions.get(place, 0) for place in range(SLIDERS)),
        0 if single is None else single.strength,
    ]


def _slider(label: str, **look: Any) -> gr.Slider:
    return gr.Slider(-REACH, REACH, 0, step=0.1, label=label, min_width=140, **look)


def _called(way: Direction) -> str:
    return way.name if way.share is None else f"{way.name} · {way.share:.1%}"


_NO_CITY = markup.empty(
    "Choose a city",
    "Press one among the random ones or on the atlas: sliders then move it along the directions "
    "in which cities change most, along single dimensions, and through training.",
)
