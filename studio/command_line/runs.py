"""studio train, resume, stop, runs."""

from __future__ import annotations

import sys
import time
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from latent.errors import UserError
from studio.command_line.context import (
    AsJson,
    Run,
    job_of,
    print_json,
    print_table,
    workspace_of,
)
from studio.forecast import describe_launch
from studio.jobs import ACTIVE, Job, find_job, submit_job
from studio.quantities import format_bytes
from studio.runs import stop_run, summarise_run, summarise_runs
from studio.workspace import Workspace

STOP_SECONDS = 120.0

Detach = Annotated[
    bool, typer.Option("--detach", help="Train in the background, and return at once.")
]
Batches = Annotated[int | None, typer.Option(help="The batch to train to.", min=1)]


def register(app: typer.Typer) -> None:
    for command in (train, resume, stop, runs):
        app.command()(command)


def train(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Name of a dataset: studio datasets list")],
    run: Annotated[str, typer.Option(help="What to call the run.")],
    recipe: Annotated[str | None, typer.Option(help="How to train: gan.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with training settings.")] = None,
    preset: Annotated[str | None, typer.Option(help="Tuned settings to begin from.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE; may be given again and again.")
    ] = None,
    batches: Batches = None,
    storage: Annotated[
        str, typer.Option(help="visual: what can be seen, far smaller; exact: every bit.")
    ] = "visual",
    quality: Annotated[
        float | None,
        typer.Option(help="visual: rms that pictures may differ by, of 255 levels; else 0.1."),
    ] = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Train a generator on a dataset and keep a checkpoint of every batch."""
    from studio.training.choice import choose_config
    from studio.training.session import create_run

    workspace = workspace_of(context)
    named = {"recipe": recipe, "batches": batches, "quality": quality}
    overrides: dict[str, Any] = {k: v for k, v in named.items() if v is not None}
    chosen = choose_config(workspace, dataset, config, preset, {**_parse(settings), **overrides})
    create_run(workspace, run, chosen, storage)
    for line in filter(None, describe_launch(chosen, storage, workspace.run(run))):
        print(line, file=sys.stderr)
    _train(context, workspace, run, detach, as_json)


def resume(
    context: typer.Context,
    run: Run,
    batches: Batches = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a run from its newest training state."""
    from studio.training.session import extend_run

    workspace = workspace_of(context)
    summarise_run(workspace, run)
    if batches is not None:
        extend_run(workspace, run, batches)
    _train(context, workspace, run, detach, as_json)


def stop(context: typer.Context, run: Run, as_json: AsJson = False) -> None:
    """Stop a run that is training, once its state is saved."""
    workspace = workspace_of(context)
    job = _await_end(workspace, stop_run(workspace, run))
    if job.status in ACTIVE:
        raise UserError(f"Run '{run}' was asked to stop and has not yet. See its log: studio jobs")
    _report(workspace, run, as_json)


def runs(context: typer.Context, as_json: AsJson = False) -> None:
    """List the runs."""
    summaries = summarise_runs(workspace_of(context))
    if as_json:
        print_json([asdict(summary) for summary in summaries])
        return
    print_table(
        ["run", "status", "checkpoints", "first", "last", "size", "storage"],
        [
            (
                *(s.name, s.status, s.checkpoints, s.first_batch, s.last_batch),
                format_bytes(s.size_bytes),
                s.storage,
            )
            for s in summaries
        ],
        "No runs yet. Begin one: studio train DATASET --run NAME",
    )


def _train(
    context: typer.Context, workspace: Workspace, run: str, detach: bool, as_json: bool
) -> None:
    """Train here, or hand the same to a process of its own."""
    from studio.stopping import stop_requests
    from studio.training.session import train_run

    if detach:
        job = submit_job(workspace, ["resume", run], run)
        print(f"Training '{run}' as job {job.id}. Watch it: studio jobs log {job.id}")
        return
    with (
        job_of(context, run) as reporter,
        stop_requests() as should_stop,
        reporter.task(f"Training {run}") as on_progress,
    ):
        train_run(workspace, run, on_progress, should_stop)
    _report(workspace, run, as_json)


def _report(workspace: Workspace, run: str, as_json: bool) -> None:
    summary = summarise_run(workspace, run)
    if as_json:
        print_json({"run": run, "status": summary.status, "batch": summary.last_batch or 0})
        return
    size = format_bytes(summary.size_bytes)
    print(f"Run '{run}' {summary.status}: {summary.checkpoints:,} checkpoints in {size}.")


def _parse(settings: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE with the value as TOML has it; a bare word is a text."""
    values: dict[str, Any] = {}
    for setting in settings or []:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"'{setting}' is no setting. Use NAME=VALUE.")
        try:
            values[name.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[name.strip()] = text.strip()
    return values


def _await_end(workspace: Workspace, job: Job) -> Job:
    deadline = time.monotonic() + STOP_SECONDS
    while job.status in ACTIVE and time.monotonic() < deadline:
        time.sleep(0.2)
        job = find_job(workspace, job.id)
    return job
