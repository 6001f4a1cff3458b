"""studio near, atlas: which cities are near each other."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from studio.command_line.context import AsJson, Run, job_of, print_json, print_table, workspace_of

Space = Annotated[str, typer.Option(help="What is compared: pictures, activations or z.")]


def register(app: typer.Typer) -> None:
    app.command()(near)
    app.command()(atlas)


def near(
    context: typer.Context,
    run: Run,
    point: Annotated[str, typer.Argument(help="A label, seed:N or an exported JPEG.")],
    k: Annotated[int, typer.Option("-k", help="How many neighbours.")] = 10,
    space: Space = "pictures",
    metric: Annotated[str, typer.Option(help="euclidean or cosine.")] = "euclidean",
    at_batch: Annotated[
        int | None, typer.Option(help="Compare at this checkpoint; else at that of the label.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Which of a run's specimens are nearest to a point."""
    from studio.specimens.nearness import find_near_specimens

    found = find_near_specimens(workspace_of(context), run, point, k, space, metric, at_batch)
    if as_json:
        neighbours = [{"label": label, "distance": d} for label, d in found.neighbours]
        print_json({**asdict(found), "neighbours": neighbours})
        return
    print(f"Nearest to {found.point} at batch {found.batch}, {found.metric} in {found.space}:")
    rows = [(label, f"{distance:.4f}") for label, distance in found.neighbours]
    print_table(["specimen", "distance"], rows, "")


def atlas(
    context: typer.Context,
    run: Run,
    batch: Annotated[int | None, typer.Option(help="The checkpoint; the last by default.")] = None,
    count: Annotated[int, typer.Option(help="How many cities.")] = 1000,
    space: Space = "pictures",
    seed: Annotated[int, typer.Option(help="The same seed draws the same map.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Draw a map on which cities that are alike lie near each other."""
    from studio.specimens.atlases import make_atlas

    with job_of(context, run) as reporter:
        drawn = make_atlas(workspace_of(context), run, batch, count, reporter, space, seed)
    if as_json:
        left_out = ("labels", "coordinates", "cells")
        print_json({key: value for key, value in asdict(drawn).items() if key not in left_out})
        return
    print(f"Atlas of {drawn.count:,} cities of run '{run}' at batch {drawn.batch}: {drawn.path}")
    print(
        f"{drawn.neighbours_kept:.0%} of each city's nearest neighbours are near it on the map "
        f"(by chance: {drawn.neighbours_by_chance:.1%})."
    )
