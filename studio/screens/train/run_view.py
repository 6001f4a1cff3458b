"""A run as it stands: progress, pictures of the fixed points, curves, events."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from checkpoints_index.storage.catalogue import list_runs
from studio.runs.attribution import attribution_of
from studio.runs.events import Event, list_events
from studio.runs.forecast import Forecast, describe_growth
from studio.runs.status import RunSummary, read_config
from studio.screens.parts import markup
from studio.screens.parts.curves import show_choices, show_curves
from studio.screens.parts.jobs_view import progress_text
from studio.screens.parts.run_cache import RunCache
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.jobs import MAKERS, Job, newest_job, training_job
from studio.workspace.paths import Workspace
from studio.workspace.quantities import format_bytes

AT_WORK = ("training", "paused")
MARKED_EVENTS = 1000  # the newest, on the curves
LISTED_EVENTS = 60  # and in the list


def show_live(records: RunCache, run: str | None, view: str, log: bool) -> str:
    """Everything about one run that changes while it trains.

    Args:
        view: of its curves; see `studio.screens.parts.curves.VIEWS`.
        log: whether they stand on a logarithmic scale.
    """
    workspace = records.workspace
    if run is None or run not in list_runs(workspace.runs):
        return markup.empty(
            "Train your first city",
            "Choose pictures on the left (or draw the maps of Helsinki), give the run a name, and "
            "press Start training. A checkpoint of every single batch is kept.",
        )
    head = _head(workspace, records.summary(run), records.forecast(run))
    events = list_events(workspace, run, MARKED_EVENTS)
    curves = show_choices(view, log) + show_curves(records.metrics(run), events, view, log)
    return (
        f'<section class="card">{head}<div class="live"><div>{_preview(workspace, run)}</div>'
        f"<div>{curves}{_events(events[:LISTED_EVENTS])}</div></div></section>"
    )


def show_runs(records: RunCache, chosen: str | None) -> str:
    """All runs as a table, with what is wrong with one; pressing a name chooses it."""
    names = list_runs(records.workspace.runs)
    refused = _refused(records.workspace, names)
    if not refused and not any(records.workspace.runs.iterdir()):
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("Run", "", "Checkpoints", "On disk", "Storage"))
    rows = refused + "".join(_row(records, name, name == chosen) for name in names)
    table = f'<table class="list"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return markup.card("Runs", table + _reindex(records.workspace))


def _reindex(workspace: Workspace) -> str:
    """Runs whose description was lost are found again by their segments."""
    job = newest_job(workspace, "reindex")
    said = "Is one missing, or damaged?"
    if job is not None:
        said = f"Reindexing {job.status}, {markup.moment(job.created_at)}"
    press = markup.button("Reindex", "reindex", quiet=True)
    return f'<div class="line small quiet"><span class="push">{escape(said)}</span>{press}</div>'


def _refused(workspace: Workspace, names: Sequence[str]) -> str:
    """The run that was asked for last, if it could not be made, and why."""
    job = newest_job(workspace, *MAKERS)
    if job is None or job.status != "failed" or job.run is None or job.run in names:
        return ""
    return (
        f"<tr><td>{escape(job.run)}</td><td>{markup.badge(job.status)}</td>"
        f'<td colspan="3">{escape(job.note)}</td></tr>'
    )


def _row(records: RunCache, name: str, current: bool) -> str:
    label = escape(name)
    try:
        rest = _cells(records.summary(name))
    except EXPECTED_ERRORS as error:
        rest = f'<td>{markup.badge("damaged")}</td><td colspan="3">{escape(str(error))}</td>'
    return (
        f'<tr class="{"current" if current else ""}"><td><button type="button" class="name" '
        f'data-action="choose" data-label="{label}">{label}</button></td>{rest}</tr>'
    )


def _cells(run: RunSummary) -> str:
    return (
        f"<td>{markup.badge(run.status)}</td><td>{run.checkpoints:,}</td>"
        f"<td>{format_bytes(run.size_bytes)}</td><td>{escape(run.storage)}</td>"
    )


def _head(workspace: Workspace, run: RunSummary, forecast: Forecast | None) -> str:
    job = training_job(workspace, run.name)
    at_work = job if run.status in AT_WORK else None
    total = at_work.total if at_work and at_work.total else _goal(workspace, run)
    done = run.last_batch or 0
    said = progress_text(at_work) if at_work else f"{done:,} of {total:,}"
    note = f'<div class="small">{escape(_trouble(job))}</div>' if _trouble(job) else ""
    note += _describe(forecast) if forecast else ""
    return (
        f'<div class="line"><h3 style="margin:0">{escape(run.name)}</h3>{markup.badge(run.status)}'
        f'<span class="quiet number">batch {escape(said or "–")}</span><span class="push"></span>'
        f"{_presses(run)}</div><div style='margin:8px 0 14px'>{markup.bar(done, total)}{note}</div>"
    )


def _describe(forecast: Forecast) -> str:
    kind = "quiet" if forecast.fits else "warning"
    return f'<div class="small {kind}">{escape(describe_growth(forecast))}</div>'


def _presses(run: RunSummary) -> str:
    if run.status in AT_WORK:
        paused = run.status == "paused"
        turn = ("Go on", "continue") if paused else ("Pause", "pause")
        requests = (turn, ("Save state", "save"), ("Stop", "stop"))
        return "".join(markup.button(text, action) for text, action in requests)
    if run.status == "imported":
        return ""
    field = (
        '<label class="line small quiet">to batch <input class="field" data-field="batches" '
        'inputmode="numeric" placeholder="as planned" aria-label="Train to batch"></label>'
    )
    return field + markup.button("Resume", "resume")


def _goal(workspace: Workspace, run: RunSummary) -> int:
    if run.status == "imported":
        return run.last_batch or 0
    return read_config(workspace, run.name).batches


def _trouble(job: Job | None) -> str:
    return job.note if job is not None and job.status == "failed" else ""


def _preview(workspace: Workspace, run: str) -> str:
    path = workspace.preview(run)
    if not path.exists():
        return markup.empty("No picture yet", "The first one shows after a few batches.")
    image = (
        f'<img class="crisp" src="{markup.file_url(path)}" alt="The fixed points of {escape(run)}">'
    )
    return image + markup.credit(attribution_of(workspace, run))


def _events(events: Sequence[Event]) -> str:
    """The newest first; a list that scrolls can be reached with the keyboard."""
    items = "".join(_event(event) for event in events)
    return f'<ul class="events" aria-label="Events" tabindex="0">{items}</ul>' if items else ""


def _event(event: Event) -> str:
    batch = "" if event.batch is None else f"{event.batch:,}"
    return (
        f'<li class="{escape(event.kind)}">{markup.badge(event.kind)}'
        f'<span class="number at">{batch}</span><span class="push">{escape(event.text)}</span>'
        f"<time>{markup.moment(event.created_at)}</time></li>"
    )
