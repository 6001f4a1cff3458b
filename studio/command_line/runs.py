"""studio train, resume, stop, runs."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from checkpoints_index.storage.catalogue import list_runs
from studio.command_line.context import (
    AsJson,
    Run,
    job_of,
    print_json,
    print_table,
    workspace_of,
)
from studio.runs.forecast import describe_launch
from studio.runs.settings import parse_settings
from studio.runs.status import stop_run, summarise_run, summarise_runs
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, Job, find_job, submit_job
from studio.workspace.paths import Workspace
from studio.workspace.quantities import format_bytes, parse_duration

STOP_SECONDS = 120.0
START_SECONDS = 60.0

Detach = Annotated[
    bool, typer.Option("--detach", help="Train in the background, and return at once.")
]
Duration = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="Stop cleanly within 85m, 1h30m, 90s."),
]
ProcessCount = Annotated[
    int, typer.Option("--processes", help="Train in so many processes, each with a GPU.", min=1)
]
Batches = Annotated[int | None, typer.Option(help="The batch to train to.", min=1)]


@dataclass(frozen=True)
class Sitting:
    """How a run is trained this time."""

    duration: str | None
    processes: int
    detach: bool

    @property
    def duration_s(self) -> float:
        return parse_duration(self.duration) if self.duration else float("inf")

    @property
    def words(self) -> list[str]:
        """The options of a command that does it in this very process, or in so many."""
        words = ["--for", self.duration] if self.duration else []
        several = self.detach and self.processes > 1
        return words + (["--processes", str(self.processes)] if several else [])


def register(app: typer.Typer) -> None:
    for command in (train, resume, stop, runs):
        app.command()(command)


def train(
    context: typer.Context,
    dataset: Annotated[
        str | None, typer.Argument(help="Name of a dataset: studio datasets list")
    ] = None,
    *,
    run: Annotated[str, typer.Option(help="What to call the run.")],
    recipe: Annotated[str | None, typer.Option(help="How to train: gan.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with training settings.")] = None,
    preset: Annotated[str | None, typer.Option(help="Tuned settings to begin from.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE; may be given again and again.")
    ] = None,
    batches: Batches = None,
    batch_size: Annotated[
        str | None,
        typer.Option(help="Pictures a batch; auto: in smaller passes where memory runs out."),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option("--from", metavar="RUN@BATCH", help="Go on from a batch of another run."),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(metavar="RUN[@BATCH]", help="Begin at batch 0 with another run's networks."),
    ] = None,
    storage: Annotated[
        str, typer.Option(help="visual: what can be seen, far smaller; exact: every bit.")
    ] = "visual",
    quality: Annotated[
        float | None,
        typer.Option(help="visual: rms that pictures may differ by, of 255 levels; else 0.1."),
    ] = None,
    duration: Duration = None,
    processes: ProcessCount = 1,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Train a generator on a dataset and keep a checkpoint of every batch."""
    from studio.training.setup.creation import create_run
    from studio.training.setup.run_request import RunRequest, resolve_request

    workspace = workspace_of(context)
    if is_main():
        named = {
            "recipe": recipe,
            "batches": batches,
            "quality": quality,
            **_batch_size(batch_size),
        }
        overrides = {name: value for name, value in named.items() if value is not None}
        values = {**parse_settings(settings or []), **overrides}
        wanted = RunRequest(dataset, config, preset, values, branch, init_from)
        chosen, first = resolve_request(workspace, wanted)
        create_run(workspace, run, chosen, storage, first)
        for line in filter(None, describe_launch(chosen, storage, workspace.run(run))):
            print(line, file=sys.stderr)
    _train(context, workspace, run, Sitting(duration, processes, detach), as_json)


def resume(
    context: typer.Context,
    run: Run,
    batches: Batches = None,
    duration: Duration = None,
    processes: ProcessCount = 1,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a run from its newest training state."""
    from studio.training.setup.creation import extend_run

    workspace = workspace_of(context)
    if is_main():
        summarise_run(workspace, run)
        if batches is not None:
            extend_run(workspace, run, batches)
    _train(context, workspace, run, Sitting(duration, processes, detach), as_json)


def stop(context: typer.Context, run: Run, as_json: AsJson = False) -> None:
    """Stop a run that is training, once its state is saved."""
    workspace = workspace_of(context)
    job = _await_end(workspace, stop_run(workspace, run))
    if job.status in ACTIVE:
        raise StudioError(
            f"Run '{run}' was asked to stop and has not yet. See its log: studio jobs"
        )
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
    context: typer.Context, workspace: Workspace, run: str, sitting: Sitting, as_json: bool
) -> None:
    """Train here, in several processes, or in one that goes on when this one has ended."""
    words = ["resume", run, *sitting.words]
    if sitting.detach:
        job = submit_job(workspace, words, run)
        print(f"Training '{run}' as job {job.id}. Watch it: studio jobs log {job.id}")
        return
    if sitting.processes > 1:
        _train_together(workspace, words + ["--json"] * as_json, sitting.processes)
        return
    _train_here(context, workspace, run, sitting.duration_s)
    if is_main():
        _report(workspace, run, as_json)


def _train_here(context: typer.Context, workspace: Workspace, run: str, duration_s: float) -> None:
    from studio.training.loop.session import train_run
    from studio.workspace.stopping import stop_requests

    if not is_main():
        await_run(workspace, run)
        with stop_requests() as should_stop:
            train_run(workspace, run, lambda done, total, note="": None, should_stop, duration_s)
        return
    with (
        job_of(context, run) as reporter,
        stop_requests() as should_stop,
        reporter.task(f"Training {run}") as on_progress,
    ):
        train_run(workspace, run, on_progress, should_stop, duration_s, reporter.say)


def _train_together(workspace: Workspace, words: list[str], processes: int) -> None:
    """Have a command done by several processes; the first of them is the job."""
    from studio.training.machine.launching import launch

    command = [sys.executable, "-m", "studio", "--workspace", str(workspace.root), *words]
    status = launch(command, processes)
    if status:
        raise typer.Exit(status)


def _report(workspace: Workspace, run: str, as_json: bool) -> None:
    summary = summarise_run(workspace, run)
    if as_json:
        print_json({"run": run, "status": summary.status, "batch": summary.last_batch or 0})
        return
    size = format_bytes(summary.size_bytes)
    print(f"Run '{run}' {summary.status}: {summary.checkpoints:,} checkpoints in {size}.")


def is_main() -> bool:
    """Whether this process is the first of those that train together, or the only one."""
    from studio.training.machine.processes import read_environment

    return read_environment(os.environ).get("RANK", "0") == "0"


def await_run(workspace: Workspace, run: str) -> None:
    """Return once the main process has made the run.

    Raises:
        StudioError: it did not within a minute.
    """
    deadline = time.monotonic() + START_SECONDS
    while run not in list_runs(workspace.runs):
        if time.monotonic() > deadline:
            raise StudioError(f"The main process did not make run '{run}'. Look at what it said.")
        time.sleep(0.2)


def _batch_size(text: str | None) -> dict[str, Any]:
    """The settings that a batch size stands for: a number, or `auto`."""
    if text is None:
        return {}
    if text == "auto":
        return {"fit_memory": True}
    if not text.isdecimal():
        raise StudioError(f"'{text}' is no batch size. Write a whole number, or auto.")
    return {"batch_size": int(text)}


def _await_end(workspace: Workspace, job: Job) -> Job:
    deadline = time.monotonic() + STOP_SECONDS
    while job.status in ACTIVE and time.monotonic() < deadline:
        time.sleep(0.2)
        job = find_job(workspace, job.id)
    return job
