"""The tab Home: what there is and what works at one look; where there is nothing, how to begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gradio as gr
from markupsafe import Markup, escape

from checkpoints_index.storage.catalogue import list_runs
from studio.actions.demo_steps import RUN, submit_demo
from studio.datasets.listing import list_datasets
from studio.screens.home.beginning import IMPORT_TAB, is_under_way, show_beginning
from studio.screens.home.disk_view import show_disk
from studio.screens.home.latest_view import LatestView
from studio.screens.home.links import opening
from studio.screens.home.run_cards import RunCards, RunShelf
from studio.screens.parts import markup
from studio.screens.parts.app_context import AppContext
from studio.screens.parts.jobs_view import progress_text
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, PAUSED, JobRow, jobs_that_are

MAX_JOBS = 6  # So many jobs are shown; the tab Jobs has all.


class HomeScreen:
    """Runs and what works first, which is known at once; then what has to be drawn."""

    TITLE: ClassVar[str] = "Home"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._runs = RunCards(app.run_cache)
        self._latest = LatestView(app.workspace, app.picture_cache)
        with app.tab(self.TITLE) as tab:
            overview = markup.pressable(elem_id="home")
            latest = markup.pressable(elem_id="home-latest")
        app.keep_current(tab, self._look, [], [overview], clock=True)
        app.keep_current(tab, lambda run: self._latest.draw(), [], [latest], clock=True)
        app.on_press(overview, self._press, app.run, overview)

    def _look(self, run: str | None) -> Markup:
        workspace = self._app.workspace
        jobs = jobs_that_are(workspace, *ACTIVE, PAUSED)
        shelf = self._runs.draw(jobs)
        disk = show_disk(workspace.root, shelf.kept_bytes, shelf.forecasts)
        runs = show_shelf(shelf) if shelf.cards else markup.NOTHING
        grid = Markup(
            '<div class="home-grid{}" data-key="grid">{}<aside class="home-side">{}{}</aside></div>'
        ).format("" if runs else " alone", runs, disk, show_work(jobs))
        if shelf.names:
            return grid
        begin = show_beginning(jobs, list_datasets(workspace))
        # What goes once there is a run lies below what stays, so that it moves nothing.
        return grid + begin if runs else begin + grid

    def _press(self, run: str | None, event: gr.EventData) -> Any:
        """Have the demo made, unless it is there or on its way."""
        if event.action != "demo":
            return gr.skip()
        workspace = self._app.workspace
        if RUN in list_runs(workspace.runs) or is_under_way(
            jobs_that_are(workspace, *ACTIVE, PAUSED)
        ):
            raise StudioError(f"The demo is here already, or on its way: it is the run {RUN}.")
        # What it consists of is the studio's own and names nothing from the page; a page may
        # submit no job that follows another, so it is handed over as a whole.
        steps = submit_demo(workspace)
        gr.Info(escape(f"The demo is begun: {len(steps)} jobs, one after the other. See Jobs."))
        return self._look(run)


def show_shelf(shelf: RunShelf) -> Markup:
    """The cards of runs under a heading, with the ways to further ones."""
    more = f"and {shelf.hidden:,} older ones: see Train" if shelf.hidden else ""
    new_run = Markup(
        '<a class="home-card new" data-key="new" {}><span class="home-plus" aria-hidden="true">+'
        '</span><b class="home-name">New run</b><span class="small quiet">Choose pictures, name '
        "it, and watch it grow from its first batch.</span></a>"
    ).format(opening(None, "Train"))
    import_ = opening(None, "Checkpoints") + Markup('="{}"').format(IMPORT_TAB)
    return Markup(
        '<section class="home-part"><div class="line"><h3>Runs</h3>'
        '<span class="small quiet">{more}</span><span class="push"></span>'
        '<a class="plain quiet-button" {import_}>Import checkpoints</a></div>'
        '<div class="run-cards" data-steady>{cards}</div></section>'
    ).format(more=more, import_=import_, cards=markup.join([*shelf.cards, new_run]))


def show_work(jobs: Sequence[JobRow]) -> Markup:
    """A card with the jobs that work and wait, each with its progress.

    Args:
        jobs: in their order; those that work come first.
    """
    working = [job for job in jobs if job.status == "running"]
    ordered = [*working, *(job for job in jobs if job.status != "running")]
    if not ordered:
        return markup.card(
            "At work",
            markup.paragraph(
                "Nothing works right now. Training, films and atlases go on here while this page "
                "is closed."
            ),
        )
    rows = markup.join(_row(job) for job in ordered[:MAX_JOBS])
    more = len(ordered) - MAX_JOBS
    rest = markup.note(f"and {more:,} more") if more > 0 else markup.NOTHING
    return markup.card(
        "At work", Markup('<div class="work" data-steady>{}</div>{}').format(rows, rest)
    )


def _row(job: JobRow) -> Markup:
    """A job: what it does, of which run, and how far it is or what it waits for."""
    works = job.status == "running"
    percent = 100 * min(1.0, job.done / job.total) if job.total else 0
    said = progress_text(job) if works else ""
    said = said or (job.note if works else job.waits_for) or job.status
    bar = Markup('<span class="home-bar"><span style="width:{:.1f}%"></span></span>')
    return Markup(
        '<a class="work-row" data-key="job {id}" {link}><span class="home-line"><b>{title}</b>'
        '{badge}</span><span class="small quiet number">{said}</span>{bar}</a>'
    ).format(
        id=job.id,
        link=opening(None, "Jobs"),
        title=" · ".join(filter(None, (job.action, job.run))),
        badge=markup.badge(job.status),
        said=said,
        bar=bar.format(percent) if works else markup.NOTHING,
    )
