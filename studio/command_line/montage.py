"""studio render sheet: points and checkpoints in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.command_line.context import AsJson, Run, job_of, print_json, workspace_of
from studio.command_line.rendering import Points, split


def sheet(
    context: typer.Context,
    run: Run,
    points: Points = "",
    batches: Annotated[
        str, typer.Option(help="FROM:TO, FROM:TO:STEP or 1,50,200; all by default.")
    ] = "",
    batch: Annotated[int | None, typer.Option(help="Many points at this one checkpoint.")] = None,
    count: Annotated[
        int | None,
        typer.Option(help="Pick so many of the batches evenly; as many as are readable."),
    ] = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out batches without a checkpoint.")
    ] = False,
    columns: Annotated[
        int | None, typer.Option(help="Pictures in a row, of one point or at one batch.")
    ] = None,
    scale: Annotated[
        int | None, typer.Option(help="Enlarge pixels by this factor; readable by default.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Such as cuda:0.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png or FILE.jpg; a place in the workspace by default."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One picture of points over batches; 8 of them evenly, or 36 of a single point."""
    from studio.films.sheet import SheetWish, draw_sheet

    wish = SheetWish(
        points=split(points),
        batches=batches,
        batch=batch,
        count=count,
        skip_missing=skip_missing,
        columns=columns,
        scale=scale,
    )
    workspace = workspace_of(context)
    with job_of(context, run) as reporter, reporter.task("Rendering pictures") as on_progress:
        drawn = draw_sheet(workspace, run, wish, on_progress, device=device, out=out)
    if as_json:
        print_json({"path": drawn.path, "rows": drawn.rows, "columns": drawn.columns})
    else:
        print(f"{drawn.path}: {drawn.columns:,} x {drawn.rows:,} pictures")
