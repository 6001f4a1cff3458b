"""The command `studio`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from studio.command_line import (
    checkpoints,
    compare,
    control,
    datasets,
    explore,
    film,
    house,
    housekeeping,
    importing,
    jobs,
    render,
    runs,
    scores,
    specimens,
)
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.stopping import exit_on_sigterm

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Keep every checkpoint of a generator, film it growing, explore its latent space.",
)


@app.callback()
def begin(
    workspace: Annotated[
        Path | None,
        typer.Option(help="Folder of everything; else $STUDIO_WORKSPACE, else ./workspace."),
    ] = None,
) -> None:
    """Options that stand before the command."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")


GROUPS = (
    *(house, runs, control, film, compare, scores),
    *(importing, checkpoints, housekeeping, explore),
)
for group in GROUPS:
    group.register(app)
app.add_typer(datasets.app, name="datasets")
app.add_typer(specimens.app, name="specimens")
app.add_typer(render.app, name="render")
app.add_typer(jobs.app, name="jobs")


def main() -> None:
    """Run a command: exit status 0 done, 1 failed, 2 wrong usage."""
    # Threads that spin while they wait slow each other down several times where jobs share cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    exit_on_sigterm()
    try:
        app()
    except EXPECTED_ERRORS as error:
        print(explain(error), file=sys.stderr)
        sys.exit(1)
