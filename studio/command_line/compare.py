"""studio compare."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from studio.command_line.context import AsJson, print_json, print_table, workspace_of
from studio.runs.comparison import Comparison, compare_runs


def register(app: typer.Typer) -> None:
    app.command()(compare)


def compare(
    context: typer.Context,
    runs: Annotated[list[str], typer.Argument(metavar="RUN OTHER ...", help="Two runs or more.")],
    every: Annotated[
        bool, typer.Option("--all", help="Show settings that are the same everywhere, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the settings of runs, what was changed in them, and how far they came."""
    comparison = compare_runs(workspace_of(context), runs)
    if as_json:
        print_json(comparison.to_json())
        return
    _print_progress(comparison)
    _print_settings(comparison, every)


def _print_progress(comparison: Comparison) -> None:
    figures = sorted({name for run in comparison.runs for name in run.figures})
    rows = [
        (
            *(run.name, run.status, run.batch, timedelta(seconds=round(run.seconds))),
            *(f"{run.figures[name]:.4g}" if name in run.figures else None for name in figures),
        )
        for run in comparison.runs
    ]
    print_table(["run", "status", "batch", "trained for", *figures], rows, "")


def _print_settings(comparison: Comparison, every: bool) -> None:
    """Those that differ; with all of them, these are marked."""
    shown = [setting for setting in comparison.settings if every or setting.differs]
    mark = {True: "*", False: ""}
    rows = [
        (
            *([mark[setting.differs]] if every else []),
            *(setting.name, *(setting.text(i) for i in range(len(comparison.runs)))),
        )
        for setting in shown
    ]
    names = [run.name for run in comparison.runs]
    columns = [*([""] if every else []), "setting", *names]
    print_table(columns, rows, "They were trained with the same settings.")
