"""The tab Render: films of training and of walks; their jobs, and the finished videos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from latent.errors import UserError
from studio.batches import choose_batches
from studio.jobs import list_jobs, submit_job
from studio.points import resolve_points
from studio.screens import markup
from studio.screens.desk import QUIETLY, Desk, nothing_yet, telling
from studio.screens.jobs_view import press_job, show_jobs
from studio.specimens import list_specimens
from studio.workspace import Workspace

GRID, EACH, BOTH = "one of all", "one a point", "both"
OFFERED = 200  # points to choose from
JOBS = 8


class RenderScreen:
    """Two forms on the left; the player and the jobs on the right."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        with desk.tab("Render") as tab, gr.Row(equal_height=False):
            self._known, self._open_log, self._film = gr.State(), gr.State(), gr.State("")
            with gr.Column(scale=4, min_width=350), gr.Tabs(elem_id="films"):
                with gr.Tab("Time-lapse"):
                    self._lay_out_timelapse()
                with gr.Tab("Walk"):
                    self._lay_out_walk()
            with gr.Column(scale=7, min_width=480):
                self._player = markup.pressable(elem_id="player")
                self._jobs = markup.pressable(elem_id="jobs")
        self._connect(tab)

    def _lay_out_timelapse(self) -> None:
        run = self._desk.run
        with gr.Group():
            self._points = _points_field("Points (labels, or seed:123)")
            with gr.Row():
                first = gr.Number(label="From batch", precision=0, minimum=0, min_width=80)
                last = gr.Number(label="To batch", precision=0, minimum=0, min_width=80)
                step = gr.Number(1, label="Every", precision=0, minimum=1, min_width=70)
            with gr.Row():
                fps = gr.Number(60, label="Frames a second", precision=0, minimum=1, min_width=90)
                films = gr.Dropdown([GRID, EACH, BOTH], value=GRID, label="Films", min_width=110)
            overlay = gr.Checkbox(True, label="Show the batch number in the film")
        form: list[Any] = [self._points, first, last, step, fps, films, overlay]
        start = gr.Button("Render the time-lapse", variant="primary", elem_id="render-timelapse")
        command = markup.pressable()
        gr.on(
            [run.change, *[field.change for field in form]],
            lambda run, *values: markup.command(timelapse_words(run or "RUN", *values)),
            [run, *form],
            command,
            **QUIETLY,
        )
        self._start_timelapse, self._timelapse_form = start, form

    def _lay_out_walk(self) -> None:
        run = self._desk.run
        with gr.Group():
            self._stops = _points_field("Cities to visit, in this order")
            with gr.Row():
                batch = gr.Number(label="At batch", precision=0, minimum=0, min_width=80)
                seconds = gr.Number(10, label="Seconds", minimum=0.1, min_width=80)
                fps = gr.Number(60, label="Frames a second", precision=0, minimum=1, min_width=90)
        form: list[Any] = [self._stops, batch, seconds, fps]
        start = gr.Button("Render the walk", variant="primary", elem_id="render-walk")
        command = markup.pressable()
        gr.on(
            [run.change, *[field.change for field in form]],
            lambda run, *values: markup.command(walk_words(run or "RUN", *values)),
            [run, *form],
            command,
            **QUIETLY,
        )
        self._start_walk, self._walk_form = start, form
        first, last = self._timelapse_form[1:3]
        self._follow_run = [self._points, first, last, self._stops, batch]

    def _connect(self, tab: gr.Tab) -> None:
        desk, run = self._desk, self._desk.run
        state = [self._film, self._open_log]
        desk.on_look(
            tab,
            self._look,
            [*state, self._known],
            [self._player, self._jobs, self._known, *self._follow_run],
            clock=True,
        )
        self._start_timelapse.click(
            telling(self._render_timelapse), [run, *self._timelapse_form], self._jobs, **QUIETLY
        )
        self._start_walk.click(
            telling(self._render_walk), [run, *self._walk_form], self._jobs, **QUIETLY
        )
        self._player.click(telling(self._choose_film), run, [self._film, self._player], **QUIETLY)
        self._jobs.click(
            telling(self._press_job), [run, self._open_log], [self._open_log, self._jobs], **QUIETLY
        )

    def _look(
        self, run: str | None, film: str, open_log: int | None, known: str | None
    ) -> tuple[Any, ...]:
        """The forms are filled anew only when another run was chosen."""
        player, jobs = self._show_player(run, film), self._show_jobs(run, open_log)
        batches = self._desk.batches(run)
        if run is None or not batches:
            return player, jobs, None, *(gr.skip(),) * len(self._follow_run)
        if known == run:
            return player, jobs, known, *(gr.skip(),) * len(self._follow_run)
        labels, fixed = point_labels(self._desk.workspace, run), self._desk.fixed_labels(run)
        points = gr.Dropdown(choices=labels, value=fixed)
        stops = gr.Dropdown(choices=labels, value=fixed[:3])
        return player, jobs, run, points, batches[0], batches[-1], stops, batches[-1]

    def _show_player(self, run: str | None, film: str) -> str:
        if run is None or not self._desk.batches(run):
            return nothing_yet(run)
        films = list_films(self._desk.workspace, run)
        if not films:
            return markup.empty(
                "No film yet",
                "Render the time-lapse on the left: one frame for each checkpoint, all points in "
                "one pass.",
            )
        chosen = next((path for path in films if _key(path) == film), films[0])
        choices = "".join(_film_button(run, path, path == chosen) for path in films)
        title = film_title(run, chosen)
        video = (
            f'<video controls loop muted playsinline preload="metadata" '
            f'src="{markup.file_url(chosen)}" aria-label="{escape(title)}"></video>'
        )
        credit = markup.credit(self._desk.attribution(run))
        body = f'<div class="player">{video}{credit}</div><div class="films">{choices}</div>'
        return markup.card(title, body)

    def _show_jobs(self, run: str | None, open_log: int | None) -> str:
        jobs = [job for job in list_jobs(self._desk.workspace) if job.command[0] == "render"]
        shown = show_jobs(self._desk.workspace, jobs[:JOBS], open_log)
        return markup.card("Renders", shown)

    def _render_timelapse(self, run: str | None, points: list[str], *form: Any) -> str:
        batches = self._desk.batches(run)
        if run is None or not batches:
            raise UserError("There is no checkpoint to render. Train a run first.")
        resolve_points(self._desk.workspace, run, points)
        words = timelapse_words(run, points, *form)
        choose_batches(batches, batches_text(*form[:3]), run, skip_missing=True)
        submit_job(self._desk.workspace, words, run)
        return self._show_jobs(run, None)

    def _render_walk(self, run: str | None, points: list[str], *form: Any) -> str:
        if run is None or not self._desk.batches(run):
            raise UserError("There is no checkpoint to render. Train a run first.")
        if len(points) < 2:
            raise UserError("A walk visits two cities or more. Choose them above.")
        resolve_points(self._desk.workspace, run, points)
        submit_job(self._desk.workspace, walk_words(run, points, *form), run)
        return self._show_jobs(run, None)

    def _choose_film(self, run: str, event: gr.EventData) -> tuple[str, str]:
        return event.film, self._show_player(run, event.film)

    def _press_job(
        self, run: str | None, open_log: int | None, event: gr.EventData
    ) -> tuple[int | None, str]:
        opened = press_job(self._desk.workspace, event, open_log)
        return opened, self._show_jobs(run, opened)


def timelapse_words(
    run: str,
    points: Sequence[str],
    first: float | None,
    last: float | None,
    step: float | None,
    fps: float | None,
    films: str,
    overlay: bool,
) -> list[str]:
    """The command that renders the time-lapse of the form; gaps are left out."""
    words = ["render", "timelapse", run]
    words += ["--points", ",".join(points)] if points else []
    batches = batches_text(first, last, step)
    words += ["--batches", batches] if batches else []
    words += ["--fps", str(int(fps or 60))]
    words += {GRID: ["--grid"], EACH: [], BOTH: ["--both"]}[films]
    words += ["--overlay"] if overlay else []
    return [*words, "--skip-missing"]


def batches_text(first: float | None, last: float | None, step: float | None) -> str:
    """FROM:TO:STEP, with the last batch included; empty for all."""
    if first is None and last is None and (step or 1) == 1:
        return ""
    start = "" if first is None else str(int(first))
    stop = "" if last is None else str(int(last) + 1)
    return f"{start}:{stop}" + (f":{int(step)}" if step and step > 1 else "")


def walk_words(
    run: str, points: Sequence[str], batch: float | None, seconds: float | None, fps: float | None
) -> list[str]:
    """The command that renders the walk of the form."""
    words = ["render", "interpolation", run, "--points", ",".join(points)]
    words += ["--batch", str(int(batch))] if batch is not None else []
    return [*words, "--seconds", f"{seconds or 10:g}", "--fps", str(int(fps or 60))]


def list_films(workspace: Workspace, run: str) -> list[Path]:
    """The finished films of a run, the newest render first, and in it the film of all points."""
    folder = re.compile(rf"{re.escape(run)}-(timelapse|interpolation-\d+)-[0-9a-f]{{6}}")
    films = [
        path
        for path in workspace.renders.glob("*/*.mp4")
        if folder.fullmatch(path.parent.name) and not path.name.startswith(".")
    ]
    return sorted(films, key=lambda path: (-path.parent.stat().st_mtime, len(path.name), path.name))


def film_title(run: str, path: Path) -> str:
    """Time-lapse of all points, Time-lapse of 0.3, Walk at batch 400."""
    kind, _, rest = path.stem.removeprefix(f"{run}-").partition("-")
    if kind == "interpolation":
        return f"Walk at batch {int(rest):,}"
    return f"Time-lapse of {rest or 'all points'}"


def point_labels(workspace: Workspace, run: str) -> list[str]:
    """Labels to choose from: starred ones first, then fixed points, then what was sampled."""
    specimens = list_specimens(workspace, run)
    ordered = sorted(specimens, key=lambda s: (not s.starred, s.origin != "fixed"))
    return [specimen.label for specimen in ordered[:OFFERED]]


def _points_field(label: str) -> gr.Dropdown:
    return gr.Dropdown(
        label=label, choices=[], multiselect=True, allow_custom_value=True, interactive=True
    )


def _film_button(run: str, path: Path, chosen: bool) -> str:
    text = f"{film_title(run, path)} · {markup.moment(path.stat().st_mtime)}"
    pressed = str(chosen).lower()
    return (
        f'<button type="button" class="plain" data-action="film" aria-pressed="{pressed}" '
        f'data-film="{escape(_key(path))}">{escape(text)}</button>'
    )


def _key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
