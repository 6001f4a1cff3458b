"""The views of a run's curves: those of every run, and what its recipe says of its own metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, cycle

from studio.screens.parts.charts.axes import Metrics
from studio.training.recipes import RECIPES

OTHERS = "others"  # The view of the numbers that no other one shows.
COLOURS = ("--accent", "--water", "--ochre", "--green", "--plum")
LOOKED_AT = 1000  # So many of the newest batches say which metrics a run has.
# What is written down of every batch beside its metrics.
UNDRAWN = ("batch", "seconds", "xxh3", "other_s")
RATE, SECONDS = "learning_rate_", "_s"  # How names of learning rates begin, and of phases end.


@dataclass(frozen=True)
class CurveView:
    """Metrics that are looked at together.

    Args:
        series: (metric, its name on the page, name of its colour in CSS) each.
        unit: what the values beside the chart are measured in.
        per: what the values of the metrics are divided by to have that unit.
        smoothed: whether a mean over neighbours is drawn over the values.
    """

    title: str
    series: tuple[tuple[str, str, str], ...]
    unit: str = ""
    per: float = 1.0
    smoothed: bool = True


VIEWS = {
    "losses": CurveView(
        "Losses",
        (
            ("d_real", "D, real", "--water"),
            ("d_fake", "D, fake", "--ochre"),
            ("g", "G", "--accent"),
        ),
    ),
    "gradients": CurveView(
        "Gradients",
        (
            ("d_grad_norm", "Gradient norm of D", "--water"),
            ("g_grad_norm", "of G", "--accent"),
            ("gradient_penalty", "Gradient penalty", "--ochre"),
        ),
    ),
    "pictures": CurveView(
        "Pictures",
        (
            ("change", "Change from batch to batch", "--accent"),
            ("diversity", "Diversity among the fixed points", "--green"),
        ),
        "rms of 255",
    ),
    "distance": CurveView(
        "Distance",
        (
            ("swd", "Sliced Wasserstein distance to the data", "--accent"),
            ("swd_held_out", "to held-out pictures", "--green"),
            ("earth_mover", "Earth mover's distance", "--water"),
        ),
    ),
    "discriminator": CurveView(
        "Discriminator",
        (
            ("d_accuracy", "Share of pairs that D tells apart", "--water"),
            ("augment_p", "Share of augmented pictures", "--ochre"),
        ),
    ),
    "rates": CurveView(
        "Learning rates",
        (("learning_rate_d", "D", "--water"), ("learning_rate_g", "G", "--accent")),
        smoothed=False,
    ),
    "speed": CurveView("Speed", (("pictures_per_s", "Pictures a second", "--accent"),)),
    "time": CurveView(
        "Time",
        (
            ("data_s", "waiting for data", "--plum"),
            ("d_s", "D", "--water"),
            ("g_s", "G", "--accent"),
            ("checkpoint_s", "checkpoints", "--ochre"),
            ("frames_s", "frames", "--green"),
            ("other_s", "else", "--line"),
        ),
    ),
    "memory": CurveView("Memory", (("memory_bytes", "Memory", "--accent"),), "MB", 1e6),
}

# Views that only a run has which wrote their metrics down.
RARE = {
    "rejected": CurveView(
        "Rejected updates",
        (("rejected_updates", "Updates left out so far", "--plum"),),
        smoothed=False,
    )
}


def known_views() -> list[str]:
    """The names of the views that a run of some recipe may have."""
    own = chain.from_iterable(recipe.curves for recipe in RECIPES.values())
    return list(dict.fromkeys((*VIEWS, *own, *RARE, OTHERS)))


def views_of(metrics: Metrics) -> dict[str, CurveView]:
    """The views of a run, told by the metrics that it wrote down.

    Where they are those of a recipe with curves of its own, these take the place of the usual ones,
    and views of which nothing is known are left out. Metrics that no view shows have one together,
    so that nobody's recipe is without curves.

    Args:
        metrics: those of its batches, ascending.
    """
    seen = set(chain.from_iterable(metrics[-LOOKED_AT:]))
    own = {
        name: group
        for recipe in RECIPES.values()
        for name, group in recipe.curves.items()
        if seen.intersection(metric for metric, _ in group.series)
    }
    views = dict(VIEWS)
    for name, group in own.items():
        views[name] = draw_in_colours(group.title, dict(group.series), group.unit)
    if own:
        views = {name: v for name, v in views.items() if seen.intersection(n for n, *_ in v.series)}
    rates = [name for name in sorted(seen) if name.startswith(RATE)]
    if not set(rates) <= {name for name, *_ in VIEWS["rates"].series}:
        titles = {name: name.removeprefix(RATE) for name in rates}
        views["rates"] = draw_in_colours("Learning rates", titles, smoothed=False)
    for name, view in RARE.items():
        if seen.intersection(metric for metric, *_ in view.series):
            views[name] = view
    if "time" in views:
        views["time"] = CurveView("Time", phases_of(seen))
    shown = {name for view in views.values() for name, *_ in view.series}
    rest = {n: n for n in sorted(seen - shown - set(UNDRAWN)) if not n.endswith(SECONDS)}
    if rest:
        views[OTHERS] = draw_in_colours("Others", rest)
    return views


def phases_of(seen: set[str]) -> tuple[tuple[str, str, str], ...]:
    """The phases of a batch whose seconds were written down, and at the end what else it took."""
    *usual, other = VIEWS["time"].series
    known = [phase for phase in usual if phase[0] in seen or phase[0] == "data_s"]
    named = {name for name, *_ in (*usual, *VIEWS["speed"].series)}
    foreign = [name for name in sorted(seen - named) if name.endswith(SECONDS)]
    further = zip(foreign, cycle(COLOURS), strict=False)
    own = [(name, name.removesuffix(SECONDS), colour) for name, colour in further]
    return (known[0], *own, *known[1:], other)


def draw_in_colours(
    title: str, series: Mapping[str, str], unit: str = "", smoothed: bool = True
) -> CurveView:
    """A view of metrics by their names, with their names on the page."""
    coloured = zip(series.items(), cycle(COLOURS), strict=False)
    return CurveView(title, tuple((*pair, c) for pair, c in coloured), unit, smoothed=smoothed)
