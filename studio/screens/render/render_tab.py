"""The tab Render: forms of films and sheets on the left; what was made, and how, on the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio.actions.declared.removal_actions import Delete, DeleteFilm, RenameFilm
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EACH_TIME,
    EVENT_DEFAULTS,
    AppContext,
    nothing_yet,
    show_errors,
)
from studio.screens.parts.form import Form
from studio.screens.parts.jobs_view import announce_submitted, press_job, show_jobs
from studio.screens.parts.number_field import NumberField
from studio.screens.parts.removal_panel import RemovalPanel
from studio.screens.render.film_list import (
    POSTER_PATH,
    check_film,
    film_script,
    film_styles,
    list_films,
    show_film,
)
from studio.screens.render.form_panel import FilmForm
from studio.screens.render.poster_route import PosterRoute
from studio.screens.render.render_fields import (
    lay_out_enlargement,
    lay_out_folder,
    lay_out_path,
    lay_out_poster,
    lay_out_sheet,
    lay_out_timelapse,
    lay_out_walk,
)
from studio.specimens.specimen_search import SpecimenSearch, find_labels
from studio.workspace.errors import StudioError
from studio.workspace.jobs import list_jobs
from studio.workspace.paths import Workspace

OFFERED = 200  # So many points can be chosen from a list.
STOPS = 3  # So many cities are chosen for an interpolation to begin with.
JOBS = 8
CHECKING = "Its frames are being counted…"
FORMS: tuple[tuple[str, Callable[[], Form[Any]]], ...] = (
    *(("Time-lapse", lay_out_timelapse), ("Walk", lay_out_walk)),
    *(("Path", lay_out_path), ("Sheet", lay_out_sheet), ("Poster", lay_out_poster)),
    *(("Folder", lay_out_folder), ("Enlargement", lay_out_enlargement)),
)


class RenderScreen:
    """A form for each kind of picture; the player and the jobs beside them."""

    TITLE: ClassVar[str] = "Render"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        app.own_answers[POSTER_PATH] = PosterRoute(app.workspace).answer
        with app.tab(self.TITLE) as tab, gr.Row(equal_height=False):
            self._open_form = gr.State(FORMS[0][0])
            with gr.Column(scale=4, min_width=350), gr.Tabs(elem_id="films") as self._tabs:
                panels = [
                    FilmForm(app, tab, title, self._open_form, lay_out) for title, lay_out in FORMS
                ]
            self._panels = panels
            self._forms = [each.form for each in panels]
            self._timelapse, self._walk, self._path, self._sheet, self._poster, *_ = self._forms
            with gr.Column(scale=7, min_width=480):
                self._player = markup.pressable(
                    elem_id="player", styles=film_styles(), script=film_script()
                )
                film = gr.State("")
                RemovalPanel(
                    app,
                    "this film",
                    [app.run, film],
                    lambda *shown: DeleteFilm.read({"name": self._folder_of(*shown)}),
                    lambda run, shown, new: RenameFilm.read(
                        {"name": self._folder_of(run, shown), "new": new}
                    ),
                    [film],
                    lambda action: ["" if isinstance(action, Delete) else gr.skip()],
                )
                self._jobs = markup.pressable(elem_id="jobs")
            self._connect(tab, film)

    def _connect(self, tab: gr.Tab, film: gr.State) -> None:
        app, run = self._app, self._app.run
        self._filled, open_log = gr.State(), gr.State()
        verdict, beside = gr.State(""), gr.State("")
        seen, shown = [film, verdict, beside], [self._player, self._jobs]
        app.keep_current(tab, self._look, [*seen, open_log], shown, clock=True)
        filled = self._fields_named(("points", "keys", "batches", "batch"))
        app.keep_current(tab, self._fill, [self._filled], [self._filled, *filled])
        # The fields are about the points of a run: another one takes them away.
        written = [field for form in self._forms for field in form.inputs]
        app.keep_form("render", [run, *written], {run: self._filled})
        for panel in self._panels:
            self._connect_start(panel.form, panel.start, [film, self._jobs])
        app.address.hold(self.TITLE, "film", film, "")
        app.address.hold(self.TITLE, "beside", beside, "")
        titles = [title for title, _ in FORMS]
        app.address.hold(self.TITLE, "form", self._open_form, titles[0], known=titles)
        self._open_form.change(
            lambda title: gr.Tabs(selected=title),
            self._open_form,
            self._tabs,
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )
        press = app.on_press(self._player, self._press_film, [run, *seen], [*seen, self._player])
        # The check may take a minute, in which no other answer waits for it.
        checked = press.then(show_errors(self._check), [run, *seen[:2]], verdict, **EVENT_DEFAULTS)
        checked.then(show_errors(self._show_player), [run, *seen], self._player, **EVENT_DEFAULTS)
        app.on_press(self._jobs, self._press_job, open_log, [open_log, self._jobs])

    def _connect_start(self, form: Form[Any], start: gr.Button, outputs: list[Any]) -> None:
        def submit_form(run: str | None, *written: Any) -> tuple[str, str]:
            """The newest film shows from now on, so that this one will once it is there."""
            is_of_run = "run" not in form.laid
            if is_of_run and (run is None or not self._app.batches(run)):
                raise StudioError("There is no checkpoint to render. Train a run first.")
            about = {"run": run} if is_of_run else {}
            job = self._app.submit(form.read(*written, **about))
            begun = f"Rendering as job {job.id}: how far it is shows under Renders."
            announce_submitted(self._app.workspace, job, begun)
            return "", self._show_jobs(None)

        start.click(
            show_errors(submit_form), [self._app.run, *form.inputs], outputs, **EVENT_DEFAULTS
        )

    def _fields_named(self, names: Sequence[str]) -> list[Any]:
        return [form.laid[n] for form in self._forms for n in names if n in form.laid]

    def _fill(self, run: str | None, filled: str | None) -> Any:
        """Offer the points of the run; only another run takes away what was written.

        The first answer may come when a hasty person has written something already.
        """
        if run is None:
            return gr.skip()
        kept, labels = self._app.batches(run), point_labels(self._app.workspace, run)

        def to_begin_with(value: Any) -> dict[str, Any]:
            return {} if filled == run else {"value": value}

        def anew(value: Any) -> dict[str, Any]:
            return {} if filled in (None, run) else {"value": value}

        updates: dict[Any, Any] = {}
        for form in (self._timelapse, self._sheet, self._poster):
            updates[form.laid["points"]] = gr.Dropdown(choices=labels, **anew([]))
        stops = to_begin_with([point.label for point in self._app.shown_points(run)[:STOPS]])
        updates[self._walk.laid["points"]] = gr.Dropdown(choices=labels, **stops)
        example = f"such as {example_keys(kept, labels)}"
        updates[self._path.laid["keys"]] = gr.Textbox(placeholder=example, **anew(""))
        for form in (self._timelapse, self._walk, self._sheet):
            updates[form.laid["batches"]] = gr.Textbox(**anew(""))
        for batch in self._fields_named(["batch"]):
            updates[batch] = NumberField(**anew(None))
        return {**updates, self._filled: run if kept else None}

    def _look(
        self, run: str | None, film: str, verdict: str, beside: str, open_log: int | None
    ) -> tuple[str, str]:
        return self._show_player(run, film, verdict, beside), self._show_jobs(open_log)

    def _show_player(self, run: str | None, film: str, verdict: str, beside: str) -> str:
        if run is None or not self._app.batches(run):
            return nothing_yet(run)
        films = list_films(self._app.workspace, run)
        if not films:
            return _NO_FILMS
        chosen = next((other for other in films if other.key == film), films[0])
        said = verdict if chosen.key == film else ""  # The verdict on another film is not shown.
        other = next((each for each in films if each.key == beside and each != chosen), None)
        owed = self._app.attribution(run)
        return show_film(self._app.workspace, chosen, films, said, owed, other)

    def _folder_of(self, run: str | None, film: str) -> str:
        """The folder of the film that shows, in which lies what was rendered with it, too."""
        films = list_films(self._app.workspace, run) if run else []
        shown = next((other for other in films if other.key == film), films[0] if films else None)
        if shown is None:
            raise StudioError("There is no film here. Render one on the left.")
        return Path(shown.key).parts[0]

    def _show_jobs(self, open_log: int | None) -> str:
        jobs = [
            job
            for job in list_jobs(self._app.workspace)
            if job.action.startswith(("render ", "upscale"))
        ]
        return markup.card("Renders", show_jobs(self._app.workspace, jobs[:JOBS], open_log))

    def _press_film(
        self, run: str, film: str, verdict: str, beside: str, event: gr.EventData
    ) -> tuple[str, str, str, str]:
        """Show another film or lay it beside the one that shows, or begin to check that one."""
        verdict = CHECKING if event.action == "check" else ""
        if event.action in ("beside", "alone"):
            beside = event.film if event.action == "beside" else ""
        else:
            film = event.film
        return film, verdict, beside, self._show_player(run, film, verdict, beside)

    def _check(self, run: str, film: str, verdict: str) -> Any:
        films = list_films(self._app.workspace, run)
        chosen = next((other for other in films if other.key == film), None)
        if verdict != CHECKING or chosen is None:
            return gr.skip()
        return check_film(self._app.workspace, chosen)

    def _press_job(self, open_log: int | None, event: gr.EventData) -> tuple[int | None, str]:
        opened = press_job(self._app, event, open_log)
        return opened, self._show_jobs(opened)


def example_keys(kept: Sequence[int], labels: Sequence[str]) -> str:
    """A path through a run: from the middle of its training to the end, from city to city.

    Example:
        >>> example_keys([1, 500, 1000], ["1000.28", "1000.3"])
        '500@1000.28 -> 1000@1000.3'
    """
    if not kept:
        return ""
    start, end = [*labels, "seed:1", "seed:2"][:2]
    return f"{kept[len(kept) // 2]}@{start} -> {kept[-1]}@{end}"


def point_labels(workspace: Workspace, run: str) -> list[str]:
    """Labels to choose from: starred ones first, then fixed points, then what was sampled."""
    return find_labels(workspace, run, SpecimenSearch(sort="offered"), OFFERED)


_NO_FILMS = markup.empty(
    "No film yet",
    "Render the time-lapse on the left: one frame for each checkpoint, all points in one pass.",
)
