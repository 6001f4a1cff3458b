"""A run as it stands: progress, pictures of the fixed points, curves, events."""

from __future__ import annotations

from html import escape

from checkpoints_index.catalogue import list_runs
from latent.errors import UserError
from studio.attribution import attribution_of
from studio.events import list_events
from studio.forecast import Forecast, describe_growth
from studio.jobs import Job, newest_job, training_job
from studio.quantities import format_bytes
from studio.runs import RunSummary
from studio.screens import markup
from studio.screens.chart import draw_losses
from studio.screens.jobs_view import progress_text
from studio.screens.records import Records
from studio.training.session import read_config
from studio.workspace import Workspace

EVENTS = 12


def show_live(records: Records, run: str | None) -> str:
    """Everything about one run that changes while it trains."""
    workspace = records.workspace
    if run is None or run not in list_runs(workspace.runs):
        return markup.empty(
            "Train your first city",
            "Choose pictures on the left (or draw the maps of Helsinki), give the run a name, and "
            "press Start training. A checkpoint of every single batch is kept.",
        )
    forecast = records.forecast(run)
    return (
        f'<section class="card">{_head(workspace, records.summary(run), forecast)}'
        f'<div class="live"><div>{_preview(workspace, run)}</div>'
        f"<div>{draw_losses(records.metrics(run))}{_events(workspace, run)}</div></div></section>"
    )


def show_runs(records: Records, chosen: str | None) -> str:
    """All runs as a table, with what is wrong with one; pressing a name chooses it."""
    names = list_runs(records.workspace.runs)
    if not any(records.workspace.runs.iterdir()):
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("Run", "", "Checkpoints", "On disk", "Storage"))
    rows = "".join(_row(records, name, name == chosen) for name in names)
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


def _row(records: Records, name: str, current: bool) -> str:
    label = escape(name)
    try:
        rest = _cells(records.summary(name))
    except UserError as error:
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
    training = run.status == "training" and job is not None
    total = job.total if training and job and job.total else _goal(workspace, run)
    done = run.last_batch or 0
    said = progress_text(job) if training and job else f"{done:,} of {total:,}"
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
    if run.status == "training":
        return markup.button("Stop", "stop")
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


def _events(workspace: Workspace, run: str) -> str:
    items = "".join(
        f"<li><time>{markup.moment(event.created_at)}</time><span>{escape(event.text)}</span></li>"
        for event in list_events(workspace, run, EVENTS)
    )
    return f'<ul class="events" aria-label="Events" style="margin-top:10px">{items}</ul>'
