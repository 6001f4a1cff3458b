"""A run as it stands: progress, preview, curves and events; and all runs as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from urllib.parse import urlencode

import gradio as gr
from markupsafe import Markup

from checkpoints_index.storage.catalogue import list_runs
from renderers.pictures.sheets import grid_columns
from studio.actions.registry import run_makers
from studio.datasets.looking import COLUMNS as SHEET_COLUMNS
from studio.datasets.prepared import PreparedDataset
from studio.runs.attribution import dataset_of
from studio.runs.config import TrainingConfig
from studio.runs.events import Event, list_events
from studio.runs.forecast import Forecast, describe_growth
from studio.runs.status import AT_WORK, RunSummary
from studio.screens.parts import markup
from studio.screens.parts.charts.axes import BATCH
from studio.screens.parts.charts.curve_views import views_of
from studio.screens.parts.charts.curves import Step, show_choices, show_curves, show_zoom
from studio.screens.parts.jobs_view import progress_text, run_progress
from studio.screens.parts.run_cache import RunCache
from studio.screens.train.sheet_route import sheet_address
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import JobRow, newest_job
from studio.workspace.paths import Workspace
from studio.workspace.records.quantities import format_bytes

MAX_MARKED_EVENTS, MAX_LISTED_EVENTS = 1000, 60  # The newest stand on the curves and in the list.
COLUMNS = ("Run", "", "Checkpoints", "On disk", "Storage")


def show_live(
    run_cache: RunCache,
    run: str | None,
    view: str,
    log: bool,
    awaited: str | None = None,
    zoom: tuple[int, int] | None = None,
    axis: str = BATCH,
) -> Markup:
    """Everything about one run that changes while it trains.

    Args:
        view: which curves are shown; see `studio.screens.parts.charts.curve_views`.
        log: whether they stand on a logarithmic scale.
        zoom: the first and the last batch that the curves show; None for all.
        axis: what lies along them.
        awaited: the run that was started and is to be shown once it is there.
    """
    workspace = run_cache.workspace
    if awaited is not None:
        return _show_awaited(workspace, awaited)
    if run is None or run not in list_runs(workspace.runs):
        return markup.empty(
            "Train your first city",
            "Choose pictures on the left (or draw the maps of Helsinki), give the run a name, and "
            "press Start training. A checkpoint of every single batch is kept.",
        )
    events = list_events(workspace, run, MAX_MARKED_EVENTS)
    metrics = run_cache.metrics(run)
    curves = show_choices(view, log, axis, views_of(metrics))
    curves += show_curves(metrics, events, view, log, zoom, axis)
    if len(metrics) > 1:
        curves += _curve_tools(run, zoom)
    return Markup(
        '<section class="card" data-key="{run}">{head}<div class="live"><div>{preview}</div>'
        "<div>{curves}{events}</div></div></section>"
    ).format(
        run=run,
        head=_head(workspace, run_cache.summary(run), run_cache.forecast(run)),
        preview=_preview(workspace, run),
        curves=curves,
        events=_events(events[:MAX_LISTED_EVENTS]),
    )


def _curve_tools(run: str, zoom: tuple[int, int] | None) -> Markup:
    """What else can be done with the curves: zoom, and take their numbers along."""
    link = Markup('<a class="plain quiet-button" href="{}" download="{}">CSV</a>')
    url = f"studio/metrics.csv?{urlencode({'run': run})}"
    return Markup('<div class="curve-tools">{}{}</div>').format(
        show_zoom(zoom), link.format(url, f"{run}-metrics.csv")
    )


def read_step(event: gr.EventData) -> Step:
    """How the curves are to be zoomed, from what was pressed or dragged.

    Raises:
        StudioError: it cannot be read.
    """
    if hasattr(event, "by"):
        return str(event.by)
    try:
        ends = float(getattr(event, "from")), float(event.to)
    except (AttributeError, TypeError, ValueError):
        raise StudioError("Nothing was marked on the curves. Drag across them.") from None
    if not all(map(math.isfinite, ends)):
        raise StudioError("Nothing was marked on the curves. Drag across them.")
    return ends


def _show_awaited(workspace: Workspace, run: str) -> Markup:
    """What is known of a run that is being made: its process starts, or waits for its turn."""
    job = newest_job(workspace, *run_makers(), run=run)
    note = job.note if job is not None and job.note else "its process starts"
    body = Markup('<div class="line">{}<span class="quiet" role="status">{}…</span></div>').format(
        markup.badge(job.status if job is not None else "queued"), note.rstrip("…. ")
    )
    hint = markup.note("Its first pictures show here in a moment; this takes up to 20 seconds.")
    return markup.card(run, body + markup.working_bar() + hint)


def show_runs(run_cache: RunCache, chosen: str | None) -> Markup:
    """All runs as a table, with what is wrong with one; pressing a name chooses it."""
    workspace = run_cache.workspace
    names = list_runs(workspace.runs)
    refused = _refused(workspace, names)
    if not refused and not any(workspace.runs.iterdir()):
        return markup.NOTHING
    head = markup.join(Markup("<th>{}</th>").format(name) for name in COLUMNS)
    rows = refused + markup.join(_row(run_cache, name, name == chosen) for name in names)
    table = Markup('<table class="list"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>')
    return markup.card("Runs", table.format(head, rows) + _reindex(workspace))


def _reindex(workspace: Workspace) -> Markup:
    """Runs whose description was lost are found again by their segments."""
    job = newest_job(workspace, "reindex")
    said = "Is one missing, or damaged?"
    if job is not None:
        said = f"Reindexing {job.status}, {markup.moment(job.created_at)}"
    line = Markup('<div class="line small quiet"><span class="push">{}</span>{}</div>')
    return line.format(said, markup.button("Reindex", "reindex", quiet=True))


def _refused(workspace: Workspace, names: Sequence[str]) -> Markup:
    """The run that was asked for last, if it could not be made, and why."""
    job = newest_job(workspace, *run_makers())
    if job is None or job.status != "failed" or job.run is None or job.run in names:
        return markup.NOTHING
    row = Markup('<tr><td>{}</td><td>{}</td><td colspan="3">{}</td></tr>')
    return row.format(job.run, markup.badge(job.status), job.note)


def _row(run_cache: RunCache, name: str, current: bool) -> Markup:
    try:
        rest = _cells(run_cache.summary(name))
    except EXPECTED_ERRORS as error:
        damaged = Markup('<td>{}</td><td colspan="3">{}</td>')
        rest = damaged.format(markup.badge("damaged"), explain(error))
    return Markup(
        '<tr class="{current}" data-key="{name}"><td>'
        '<button type="button" class="name" data-action="choose" data-label="{name}">{name}'
        "</button></td>{rest}</tr>"
    ).format(current="current" if current else "", name=name, rest=rest)


def _cells(run: RunSummary) -> Markup:
    return Markup("<td>{}</td><td>{:,}</td><td>{}</td><td>{}</td>").format(
        markup.badge(run.status), run.checkpoints, format_bytes(run.size_bytes), run.storage
    )


def _head(workspace: Workspace, run: RunSummary, forecast: Forecast | None) -> Markup:
    """The name of a run, how far it is, what can be asked of it, and what is wrong with it."""
    job, done, total = run_progress(workspace, run)
    at_work = job if run.status in AT_WORK else None
    progress = _progress(at_work) if at_work else f"batch {done:,} of {total:,}"
    return Markup(
        '<div class="line"><h3 style="margin:0">{name}</h3>{badge}'
        '<span class="quiet number" role="status">{progress}</span><span class="push"></span>'
        '{buttons}</div><div style="margin:8px 0 14px">{bar}{trouble}{growth}</div>'
    ).format(
        name=run.name,
        badge=markup.badge(run.status),
        progress=progress,
        buttons=_buttons(run),
        bar=markup.progress_bar(done, total),
        trouble=markup.note(_trouble(job), "") if _trouble(job) else "",
        growth=_growth(forecast) if forecast else "",
    )


def _progress(job: JobRow) -> str:
    """How far a job that trains is; what it does before its first batch."""
    text = progress_text(job)
    return f"batch {text}" if text else f"{job.note.rstrip('…. ') or 'its process starts'}…"


def _growth(forecast: Forecast) -> Markup:
    return markup.note(describe_growth(forecast), "quiet" if forecast.fits else "warning")


def _buttons(run: RunSummary) -> Markup:
    """Buttons for what can be asked of a run in its status."""
    if run.status == "imported":
        return markup.NOTHING
    at_work, paused = run.status in AT_WORK, run.status == "paused"
    field = Markup(
        '<label class="line small quiet">to batch <input class="field" data-field="batches" '
        'inputmode="numeric" placeholder="as planned" aria-label="Train to batch"{}></label>'
    ).format(Markup(" disabled") if at_work else "")
    requests = (  # Each has a place of its own, so that no press meets another than was aimed at.
        ("Resume", "resume", not at_work),
        ("Pause", "pause", at_work and not paused),
        ("Go on", "continue", paused),
        ("Save state", "save", at_work),
        ("Stop", "stop", at_work),
    )
    return field + markup.join(
        markup.button(text, action, enabled=enabled) for text, action, enabled in requests
    )


def _trouble(job: JobRow | None) -> str:
    return job.note if job is not None and job.status == "failed" else ""


def _preview(workspace: Workspace, run: str) -> Markup:
    path = workspace.preview(run)
    if not path.exists() and not workspace.run_config(run).exists():
        return markup.empty("Not trained here", "See its checkpoints and its cities: Checkpoints.")
    if not path.exists():
        return markup.empty("No picture yet", "The first one shows after a few batches.")
    image = Markup('<img class="crisp" src="{}" alt="The fixed points of {}">')
    made, dataset = image.format(markup.file_url(path), run), dataset_of(workspace, run)
    if dataset is None:
        return made
    return made + _real(workspace, run, dataset) + markup.credit(dataset.manifest.attribution)


def _real(workspace: Workspace, run: str, dataset: PreparedDataset) -> Markup:
    """Pictures that a run learns from, as large as those that it makes."""
    points = TrainingConfig.read(workspace.run_config(run)).fixed_points
    columns = min(grid_columns(points), SHEET_COLUMNS)
    return Markup(
        '<figure class="real"><figcaption class="small quiet">Made above, real below: {name}'
        '</figcaption><img class="crisp" src="{source}" alt="Real pictures of {name}"></figure>'
    ).format(name=dataset.folder.name, source=sheet_address(dataset, columns))


def _events(events: Sequence[Event]) -> Markup:
    """The newest first; a list that scrolls can be reached with the keyboard."""
    if not events:
        return markup.NOTHING
    items = markup.join(_event(event) for event in events)
    return Markup('<ul class="events" aria-label="Events" tabindex="0">{}</ul>').format(items)


def _event(event: Event) -> Markup:
    return Markup(
        '<li class="{kind}" data-key="{key}">{badge}<span class="number at">{batch}</span>'
        '<span class="push">{text}</span><time>{moment}</time></li>'
    ).format(
        kind=event.kind,
        key=f"{event.created_at} {event.kind} {event.text}",
        badge=markup.badge(event.kind),
        batch="" if event.batch is None else f"{event.batch:,}",
        text=event.text,
        moment=markup.moment(event.created_at),
    )
