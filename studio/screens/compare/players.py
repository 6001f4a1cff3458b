"""Films of several runs side by side, moved by one slider along batches or along time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from renderers.plan.outputs import GRID
from studio.films.live import join_live_film, live_frames
from studio.runs.attribution import attribution_of
from studio.screens.parts import markup
from studio.screens.parts.curves import Metrics, training_seconds, values_of
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace

CSS = """
.players { display: grid; gap: 12px;
  grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); }
.players figure { margin: 0; min-width: 0; }
.players video, .players .none { display: block; width: 100%; height: 300px; margin: 0;
  object-fit: contain; background: #1d151a; border-radius: 8px; image-rendering: pixelated; }
.players .none { display: grid; place-items: center; color: #cbbdb0; font-size: 13px;
  text-align: center; padding: 0 16px; }
.players figcaption { display: flex; gap: 10px; font-size: 13px; padding-top: 4px; }
.players figcaption .push { margin-left: auto; color: var(--quiet); }
.transport { display: flex; gap: 12px; align-items: center; margin-top: 10px; }
.transport input { flex: 1; accent-color: var(--accent); border-radius: 6px; }
.transport input:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; }
.transport .plain { width: 74px; } .transport output { min-width: 96px; text-align: right; }
"""

# One slider moves all films: each shows its last frame that is not later. A film that is still
# seeking is asked again when it is done, so that the latest position of the slider wins.
PLAYERS = """
const SHORTEST_S = 8, LONGEST_S = 60, FRAMES_A_SECOND = 60;
let films = [], playing = 0;
const slider = () => element.querySelector('[data-place]');
const write = (seconds) => {
  const [h, m, s] = [seconds / 3600, seconds / 60 % 60, seconds % 60].map(Math.floor);
  return h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`;
};
const frameAt = (places, at) => {
  let [low, high] = [0, places.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (places[middle] <= at) low = middle; else high = middle - 1;
  }
  return low;
};
const show = (film) => {
  const { video, places, batches } = film;
  const frame = frameAt(places, Number(slider().value));
  if (frame === film.frame || video.seeking || !video.duration) return;
  film.frame = frame;
  video.currentTime = (frame + 0.5) / places.length * video.duration;
  video.parentElement.querySelector('[data-batch]').textContent =
    `batch ${batches[frame].toLocaleString('en')}`;
};
const showAll = () => {
  if (!slider()) return;
  const at = Number(slider().value), byTime = slider().dataset.place === 'time';
  element.querySelector('output').textContent =
    byTime ? write(at) : `batch ${at.toLocaleString('en')}`;
  films.forEach(show);
};
const press = (on) => {
  cancelAnimationFrame(playing);
  playing = 0;
  const button = element.querySelector('[data-play]');
  if (button) button.textContent = on ? 'Pause' : 'Play';
};
const play = () => {
  const bar = slider(), [first, last] = [Number(bar.min), Number(bar.max)];
  const frames = Math.max(...films.map((film) => film.places.length));
  const seconds = Math.min(LONGEST_S, Math.max(SHORTEST_S, frames / FRAMES_A_SECOND));
  let at = Number(bar.value) >= last ? first : Number(bar.value), before = performance.now();
  const step = (now) => {
    at = Math.min(last, at + (now - before) / 1000 / seconds * (last - first));
    before = now;
    bar.value = at;
    showAll();
    if (at < last) playing = requestAnimationFrame(step); else press(false);
  };
  press(true);
  playing = requestAnimationFrame(step);
};
const begin = () => {
  press(false);
  films = [...element.querySelectorAll('video')].map((video) => (
    { video, ...JSON.parse(video.dataset.film), frame: -1 }
  ));
  showAll();
};
element.addEventListener('input', (event) => {
  if (!event.target.matches('[data-place]')) return;
  press(false);
  showAll();
});
element.addEventListener('click', (event) => {
  if (event.target.closest('[data-play]')) if (playing) press(false); else play();
});
for (const moment of ['seeked', 'loadedmetadata']) element.addEventListener(moment, showAll, true);
watch('value', begin);
begin();
"""


@dataclass(frozen=True)
class LockedFilm:
    """A run's live film with a place for each frame.

    Args:
        batches: int, ascending, of its frames.
        places: the same, or seconds of training until then.
    """

    run: str
    path: Path
    batches: list[int]
    places: list[float]


def show_players(
    workspace: Workspace,
    runs: Mapping[str, Metrics],
    colours: Mapping[str, str],
    by_time: bool,
) -> str:
    """A card with the live film of each run, and the slider that moves them all."""
    known, figures = list[LockedFilm](), ""
    for run, metrics in runs.items():
        try:
            film = lock_film(workspace, run, metrics, by_time)
        except EXPECTED_ERRORS as error:
            figures += _figure(_none(str(error)), run, colours[run])
        else:
            known.append(film)
            figures += _figure(_video(film), run, colours[run])
    owed = " ".join(dict.fromkeys(filter(None, (attribution_of(workspace, run) for run in runs))))
    return markup.card(
        "Films",
        f'<div class="players" style="--columns:{min(len(runs), 3)}">{figures}</div>'
        f"{_transport(known, by_time) if known else ''}{markup.credit(owed)}",
    )


def lock_film(workspace: Workspace, run: str, metrics: Metrics, by_time: bool) -> LockedFilm:
    """The film of a run as it stands.

    Args:
        metrics: of all batches of the run; they say when a batch was done.

    Raises:
        StudioError: the run has no film.
    """
    (video,) = join_live_film(workspace, run, labels=[GRID])
    batches = live_frames(workspace, run)[: video.frames]
    places = seconds_at(metrics, batches) if by_time else [float(batch) for batch in batches]
    return LockedFilm(run, video.path, batches, places)


def seconds_at(metrics: Metrics, batches: list[int]) -> list[float]:
    """Seconds that a run had trained when each of some batches was done."""
    if not metrics:
        return [0.0] * len(batches)
    seconds = np.interp(batches, values_of(metrics, "batch"), training_seconds(metrics))
    return [round(float(second), 2) for second in seconds]


def _figure(stage: str, run: str, colour: str) -> str:
    return (
        f'<figure>{stage}<figcaption><span class="run" style="--colour:var({colour})">'
        f'{escape(run)}</span><span class="push number" data-batch></span></figcaption></figure>'
    )


def _video(film: LockedFilm) -> str:
    places = escape(json.dumps({"batches": film.batches, "places": film.places}))
    return (
        f'<video muted playsinline preload="auto" src="{markup.file_url(film.path)}" '
        f'data-film="{places}" aria-label="The film of {escape(film.run)}"></video>'
    )


def _none(reason: str) -> str:
    return f'<div class="none"><p>{escape(reason)}</p></div>'


def _transport(films: list[LockedFilm], by_time: bool) -> str:
    first = min(film.places[0] for film in films)
    last = max(film.places[-1] for film in films)
    kind, step = ("time", max((last - first) / 1000, 0.01)) if by_time else ("batch", 1)
    return (
        '<div class="transport"><button type="button" class="plain" data-play>Play</button>'
        f'<input type="range" data-place="{kind}" min="{first}" max="{last}" step="{step}" '
        f'value="{last}" aria-label="Move all films along the {kind}"><output class="number small">'
        "</output></div>"
    )
