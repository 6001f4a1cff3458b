"""Runs as cards: the last picture, the state, how far each is and how long it will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

import xxhash
from markupsafe import Markup

from checkpoints_index.storage.catalogue import DESCRIPTION, checkpoints_folder, list_runs
from studio.actions.registry import run_makers
from studio.runs.forecast import Forecast
from studio.runs.lineage.parentage import Parentage, read_kept_parentage
from studio.runs.status import AT_WORK, RunSummary
from studio.screens.checkpoints.timeline.timeline_routes import PICTURE_ROUTE
from studio.screens.home.links import opening
from studio.screens.parts import markup
from studio.screens.parts.jobs_view import run_progress
from studio.screens.parts.run_cache import RunCache
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.jobs import ACTIVE, JobRow
from studio.workspace.paths import Workspace
from studio.workspace.records.quantities import format_bytes, format_duration

MAX_CARDS = 24  # The runs that were made last, and all that are at work.
TRAIN, CHECKPOINTS = "Train", "Checkpoints"  # The tabs that cards open.


@dataclass
class RunShelf:
    """The cards of runs, and what was found on the way.

    Attributes:
        cards: of the runs that are shown.
        names: those of all runs.
        hidden: how many runs are not shown.
        kept_bytes: what the checkpoints of all runs take.
        forecasts: how runs will grow that train now.
    """

    cards: list[Markup] = field(default_factory=list)
    names: Sequence[str] = ()
    hidden: int = 0
    kept_bytes: int = 0
    forecasts: list[Forecast] = field(default_factory=list)


class RunCards:
    """Draws the cards. What is known of a run that is not shown is looked up once."""

    def __init__(self, run_cache: RunCache) -> None:
        self._run_cache, self._workspace = run_cache, run_cache.workspace
        self._sizes: dict[str, tuple[int, int]] = {}
        self._begun: dict[str, Parentage] = {}

    def draw(self, jobs: Sequence[JobRow]) -> RunShelf:
        """The cards of the runs that were made last, newest first; those at work are among them.

        Args:
            jobs: those that work or wait.
        """
        names = list_runs(self._workspace.runs)
        newest = sorted(names, key=lambda name: -made_at(self._workspace, name))
        at_work = {job.run for job in jobs}
        shown = {*newest[:MAX_CARDS], *(at_work & set(names))}
        shelf = RunShelf(names=names, hidden=len(names) - len(shown))
        self._begun = read_kept_parentage(self._workspace)
        shelf.cards += [_card_to_come(job) for job in _to_come(jobs, names)]
        for name in newest:
            if name in shown:
                shelf.cards.append(self._draw_card(name, shelf))
            else:
                shelf.kept_bytes += self._size_of(name)
        return shelf

    def _draw_card(self, name: str, shelf: RunShelf) -> Markup:
        """The card of a run; what it takes and will take is added to the shelf."""
        try:
            run = self._run_cache.summary(name)
            shelf.kept_bytes += run.size_bytes
            forecast = self._run_cache.forecast(name) if run.status in AT_WORK else None
            if forecast is not None:
                shelf.forecasts.append(forecast)
            return _card(self._workspace, run, self._begun.get(name))
        except EXPECTED_ERRORS as error:
            return _damaged_card(name, explain(error))

    def _size_of(self, name: str) -> int:
        """Bytes of the checkpoints of a run; nothing of one that is damaged."""
        written = made_at(self._workspace, name)
        known = self._sizes.get(name)
        if known is None or known[0] != written:
            try:
                known = written, self._run_cache.summary(name).size_bytes
            except EXPECTED_ERRORS:
                known = written, 0
            self._sizes[name] = known
        return known[1]


def made_at(workspace: Workspace, name: str) -> int:
    """When a run was made, in nanoseconds since 1970; 0 of one that is gone meanwhile."""
    try:
        return (checkpoints_folder(workspace.runs, name) / DESCRIPTION).stat().st_mtime_ns
    except OSError:
        return 0


def _to_come(jobs: Sequence[JobRow], names: Sequence[str]) -> list[JobRow]:
    """The jobs that will make a run."""
    makers, there = set(run_makers()), set(names)
    return [job for job in jobs if job.action in makers and job.run and job.run not in there]


def _card(workspace: Workspace, run: RunSummary, begun: Parentage | None) -> Markup:
    """The card of a run; `begun` is what it began from, where it is of another one."""
    job, done, total = run_progress(workspace, run)
    trouble = job.note if job is not None and run.status == "failed" else ""
    tab = CHECKPOINTS if run.status == "imported" else TRAIN
    kept = f"{run.checkpoints:,} checkpoints in {format_bytes(run.size_bytes)}, {run.storage}"
    if begun is not None:
        kept += f"; {begun.kind} of {begun.parent}@{begun.batch}"
    return _lay_out(
        run.name,
        tab,
        run.status,
        _picture(workspace, run),
        said=_tell_batch(run, done, total),
        left=_tell_left(run, job),
        bar=_bar(done, total),
        note=trouble or kept,
        bad=bool(trouble),
    )


def _damaged_card(name: str, reason: str) -> Markup:
    return _lay_out(name, TRAIN, "damaged", _no_picture(name), note=reason, bad=True)


def _card_to_come(job: JobRow) -> Markup:
    """The card of a run that is being made, or whose job waits."""
    said = job.waits_for or job.note or ("its process starts" if job.status in ACTIVE else "")
    name = str(job.run)
    return _lay_out(name, "Jobs", job.status, _no_picture(name), said="not begun", note=said)


def _lay_out(
    name: str,
    tab: str,
    status: str,
    picture: Markup,
    said: str = "",
    left: str = "",
    bar: str = Markup('<span class="home-bar"></span>'),
    note: str = "",
    bad: bool = False,
) -> Markup:
    return Markup(
        '<a class="home-card" data-key="run {name}" {link}>'
        '<span class="home-picture">{picture}</span>'
        '<span class="home-line"><b class="home-name">{name}</b>{badge}</span>'
        '<span class="home-line number"><span>{said}</span><span class="quiet">{left}</span></span>'
        '{bar}<span class="small home-note {kind}">{note}</span></a>'
    ).format(
        name=name,
        link=opening(None if tab == "Jobs" else name, tab),
        picture=picture,
        badge=markup.badge(status),
        said=said,
        left=left,
        bar=bar,
        note=note,
        kind="warning" if bad else "quiet",
    )


def _picture(workspace: Workspace, run: RunSummary) -> Markup:
    """What training drew last; of a run that was not trained here, its last checkpoint."""
    image = Markup('<img class="crisp" src="{}" alt="" loading="lazy">')
    try:
        return image.format(markup.file_url(workspace.preview(run.name)))
    except OSError:
        if run.last_batch is None:
            return _no_picture(run.name)
    # The timeline draws one picture a page at a time; each card is a page of its own to it.
    page = f"home{xxhash.xxh3_64_hexdigest(run.name.encode())}"
    asked = {"run": run.name, "batch": run.last_batch, "page": page, "rests": "yes"}
    return image.format(f"{PICTURE_ROUTE[1:]}?{urlencode(asked)}")


def _no_picture(name: str) -> Markup:
    """The first letter of a run that has no picture."""
    return Markup('<span class="home-letter" aria-hidden="true">{}</span>').format(name[:1])


def _bar(done: int, total: int) -> Markup:
    """How far a run is; the words beside it say the same."""
    percent = 100 * min(1.0, done / total) if total else 0
    return Markup('<span class="home-bar"><span style="width:{:.1f}%"></span></span>').format(
        percent
    )


def _tell_batch(run: RunSummary, done: int, total: int) -> str:
    if run.status == "imported":
        return "no batch" if run.last_batch is None else f"up to batch {run.last_batch:,}"
    return f"batch {done:,} of {total:,}"


def _tell_left(run: RunSummary, job: JobRow | None) -> str:
    """The time left of a run that trains, as far as it is known."""
    if run.status != "training" or job is None or job.left_s is None:
        return ""
    return f"{format_duration(job.left_s)} left"
