"""An interpolation between two cities, as far as the slider says."""

from __future__ import annotations

import gradio as gr
import torch
from markupsafe import Markup

from latent.interpolation import slerp
from latent.points import LatentPoint
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.picture_cache import LARGE_PX
from studio.specimens.points import resolve_points

STEPS = 40  # Steps of the slider from one city to the other.


class InterpolationView:
    """Shows the two cities that were chosen last, and one in between."""

    def __init__(self, app: AppContext, chosen: gr.State) -> None:
        self._app = app
        with gr.Tab("Walk between two"):
            ends = gr.State([])
            view = gr.HTML(_NO_ENDS, elem_id="interpolation")
            slider = gr.Slider(0, STEPS, STEPS // 2, label="How far on the way", step=1)
            command = markup.pressable()
        chosen.change(_extend, [ends, chosen], ends, **EVENT_DEFAULTS)
        asked = [app.run, chosen, ends, slider]
        gr.on(
            [ends.change, slider.change],
            show_errors(self._show),
            asked,
            [view, command],
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )

    def _show(
        self, run: str | None, chosen: tuple[str, int] | None, ends: list[str], step: float
    ) -> tuple[Markup, Markup]:
        if run is None or chosen is None or len(ends) < 2:
            return _NO_ENDS, markup.NOTHING
        batch = chosen[1]
        a, b = resolve_points(self._app.workspace, run, ends)
        fraction = step / STEPS
        between = LatentPoint("between", slerp(a.z, b.z, torch.tensor([fraction]))[0])
        start, end = self._app.picture_cache.show(run, batch, [a, b])
        middle = self._app.picture_cache.show(run, batch, [between], LARGE_PX)[0]
        figures = markup.join(
            (
                _figure(start, a.label),
                _figure(middle, f"{fraction:.0%} of the way"),
                _figure(end, b.label),
            )
        )
        words = ["render", "interpolation", run, "--points", ",".join(ends), "--batch", str(batch)]
        body = Markup('<div class="interpolation">{}</div>').format(figures)
        body += markup.credit(self._app.attribution(run))
        title = f"From {a.label} to {b.label} at batch {batch:,}"
        return markup.card(title, body), markup.command(words)


def _figure(source: str, text: str) -> Markup:
    return Markup(
        '<figure class="picture"><img src="{source}" alt="{text}">'
        "<figcaption>{text}</figcaption></figure>"
    ).format(source=source, text=text)


def _extend(ends: list[str], chosen: tuple[str, int] | None) -> list[str]:
    """The last two cities that were chosen, the newest last; none for a new run."""
    if chosen is None:
        return []
    return [*[label for label in ends if label != chosen[0]], chosen[0]][-2:]


_NO_ENDS = markup.empty(
    "Choose two cities",
    "Press one city, then another, among the random ones or on the atlas: the walk goes from the "
    "first to the second along a great circle.",
)
