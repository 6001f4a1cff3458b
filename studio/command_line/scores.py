"""studio score: how far a checkpoint's pictures are from the data."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from studio.command_line.context import AsJson, Run, job_of, print_json, print_table, workspace_of


def register(app: typer.Typer) -> None:
    app.command()(score)


def score(
    context: typer.Context,
    run: Run,
    batch: Annotated[int | None, typer.Option(help="The checkpoint; the last by default.")] = None,
    metric: Annotated[
        str, typer.Option(help="swd, fid, kid, or several with commas between.")
    ] = "swd",
    count: Annotated[
        int, typer.Option(help="Pictures on either side; compare scores of equal counts alone.")
    ] = 2048,
    as_json: AsJson = False,
) -> None:
    """How far the pictures of a checkpoint are from its data; lower is better."""
    from studio.training.monitor.picture_scores import score_checkpoint

    metrics = [name.strip() for name in metric.split(",") if name.strip()]
    with job_of(context, run) as reporter, reporter.task("Drawing pictures") as on_progress:
        scored = score_checkpoint(workspace_of(context), run, batch, metrics, count, on_progress)
    if as_json:
        print_json(asdict(scored))
    elif scored.values:
        print(f"Run '{run}' at batch {scored.batch:,}, {count:,} pictures against as many:")
        levels = [(f"swd at {px} px", f"{value:g}") for px, value in scored.swd_levels.items()]
        rows = [(name, f"{value:g}") for name, value in scored.values.items()]
        print_table(["metric", "distance"], [*rows, *levels], "")
    for reason in scored.unavailable.values():
        print(reason, file=sys.stderr)
    if scored.unavailable:
        raise typer.Exit(1)
