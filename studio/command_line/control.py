"""studio set, pause, continue, save, events: a run that trains, steered and watched."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from studio.command_line.context import AsJson, Run, print_json, print_table, workspace_of
from studio.runs.changes import CONTINUE, PAUSE, SAVE, ask, change_settings
from studio.runs.events import list_events
from studio.runs.settings import parse_settings
from studio.runs.status import summarise_run

Newest = Annotated[int, typer.Option(help="How many, the newest first.", min=1)]


def register(app: typer.Typer) -> None:
    app.command("set")(set_)
    app.command()(pause)
    app.command("continue")(continue_)
    app.command()(save)
    app.command()(events)


def set_(
    context: typer.Context,
    run: Run,
    settings: Annotated[list[str], typer.Argument(help="NAME=VALUE, such as learning_rate=1e-5")],
) -> None:
    """Change settings of a run, with its next batch if it trains."""
    for line in change_settings(workspace_of(context), run, parse_settings(settings)):
        print(line)


def pause(context: typer.Context, run: Run) -> None:
    """Let a run that trains wait."""
    ask(workspace_of(context), run, PAUSE)
    print(f"Run '{run}' pauses. Let it go on: studio continue {run}", file=sys.stderr)


def continue_(context: typer.Context, run: Run) -> None:
    """Let a paused run go on."""
    ask(workspace_of(context), run, CONTINUE)
    print(f"Run '{run}' goes on.", file=sys.stderr)


def save(context: typer.Context, run: Run) -> None:
    """Have a run that trains save its full training state now, and keep it for good."""
    ask(workspace_of(context), run, SAVE)
    print(f"Run '{run}' saves its training state. See when: studio events {run}", file=sys.stderr)


def events(context: typer.Context, run: Run, newest: Newest = 100, as_json: AsJson = False) -> None:
    """List what happened to a run: changes, alarms, resumes."""
    workspace = workspace_of(context)
    summarise_run(workspace, run)
    found = list_events(workspace, run, newest)
    if as_json:
        print_json([asdict(event) for event in found])
        return
    rows = [(event.batch, event.kind, event.text) for event in found]
    print_table(["batch", "what", ""], rows, f"Nothing has happened to run '{run}' yet.")
