"""Films of several runs side by side, moved by one slider along batches or along time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import numpy as np
from markupsafe import Markup

from renderers.plan.outputs import GRID
from studio.films.live import join_live_film, live_frames
from studio.runs.attribution import attribution_of
from studio.screens.parts import markup
from studio.screens.parts.assets import read_asset
from studio.screens.parts.charts.axes import TIME, Metrics, places_along, values_of
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace

MAX_COLUMNS = 3


@dataclass(frozen=True)
class LockedFilm:
    """A run's live film with a place along the slider for each frame.

    Args:
        batches: those of its frames, ascending.
        places: the same, or seconds of training until then.
    """

    run: str
    path: Path
    batches: list[int]
    places: list[float]


def lay_out_players() -> gr.HTML:
    """The place for films; the script that comes with it moves them."""
    return gr.HTML(
        elem_id="players",
        js_on_load=read_asset(__package__, "players.js"),
        css_template=read_asset(__package__, "players.css"),
        apply_default_css=False,
    )


def show_players(
    workspace: Workspace,
    runs: Mapping[str, Metrics],
    colours: Mapping[str, str],
    by_time: bool,
) -> Markup:
    """A card with the live film of each run, and the slider that moves them all.

    Args:
        runs: the metrics of the batches of each run, by its name.
        colours: the name of each run's colour in CSS.
        by_time: the films stand at the same time of training instead of the same batch.
    """
    known, figures = list[LockedFilm](), markup.NOTHING
    for run, metrics in runs.items():
        try:
            film = lock_film(workspace, run, metrics, by_time)
        except EXPECTED_ERRORS as error:
            figures += _figure(_no_film(explain(error)), run, colours[run])
        else:
            known.append(film)
            figures += _figure(_video(film), run, colours[run])
    owed = " ".join(dict.fromkeys(filter(None, (attribution_of(workspace, run) for run in runs))))
    columns = min(len(runs), MAX_COLUMNS)
    players = Markup('<div class="players" style="--columns:{}">{}</div>').format(columns, figures)
    transport = _transport(known, by_time) if known else markup.NOTHING
    return markup.card("Films", players + transport + markup.credit(owed))


def lock_film(workspace: Workspace, run: str, metrics: Metrics, by_time: bool) -> LockedFilm:
    """The film of a run as it stands.

    Args:
        metrics: those of all batches of the run; they say when a batch was done.

    Raises:
        StudioError: the run has no film.
    """
    (video,) = join_live_film(workspace, run, labels=[GRID])
    batches = live_frames(workspace, run)[: video.frames]
    places = seconds_at(metrics, batches) if by_time else [float(batch) for batch in batches]
    return LockedFilm(run, video.path, batches, places)


def seconds_at(metrics: Metrics, batches: list[int]) -> list[float]:
    """Seconds that a run had trained when each of some batches was done; 0 where nobody knows."""
    if not metrics:
        return [0.0] * len(batches)
    seconds = np.interp(batches, values_of(metrics, "batch"), places_along(metrics, TIME))
    return [round(float(second), 2) for second in seconds]


def _figure(stage: Markup, run: str, colour: str) -> Markup:
    return Markup(
        '<figure>{}<figcaption><span class="run" style="--colour:var({})">{}</span>'
        '<span class="push number" data-batch></span></figcaption></figure>'
    ).format(stage, colour, run)


def _video(film: LockedFilm) -> Markup:
    return Markup(
        '<video muted playsinline preload="auto" src="{}" data-film="{}" '
        'aria-label="The film of {}"></video>'
    ).format(
        markup.file_url(film.path),
        json.dumps({"batches": film.batches, "places": film.places}),
        film.run,
    )


def _no_film(reason: str) -> Markup:
    return Markup('<div class="none"><p>{}</p></div>').format(reason)


def _transport(films: list[LockedFilm], by_time: bool) -> Markup:
    """The button that plays all films, and the slider."""
    first = min(film.places[0] for film in films)
    last = max(film.places[-1] for film in films)
    kind, step = ("time", max((last - first) / 1000, 0.01)) if by_time else ("batch", 1)
    return Markup(
        '<div class="transport"><button type="button" class="plain" data-play>Play</button>'
        '<input type="range" data-place="{kind}" min="{first}" max="{last}" step="{step}" '
        'value="{last}" aria-label="Move all films along the {kind}">'
        '<output class="number small"></output></div>'
    ).format(kind=kind, first=first, last=last, step=step)
