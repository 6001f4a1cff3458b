"""What every command has: its workspace, its words, and how it prints what it found."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.workspace.jobs import working_as_job
from studio.workspace.paths import Workspace

if TYPE_CHECKING:
    from studio.workspace.progress import Reporter

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, only that.")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run: studio runs")]


def workspace_of(context: typer.Context) -> Workspace:
    return Workspace.open(context.find_root().params["workspace"])


def reporter_of(context: typer.Context, job_id: int | None = None) -> Reporter:
    """Tells progress on standard error, so that standard output holds results alone."""
    from studio.workspace.progress import Reporter

    return Reporter(workspace_of(context), job_id)


@contextmanager
def job_of(context: typer.Context, run: str | None = None) -> Iterator[Reporter]:
    """Record this command as a job while it works, and report its progress."""
    with working_as_job(workspace_of(context), command_words(), run) as job_id:
        yield reporter_of(context, job_id)


def command_words() -> list[str]:
    """The words of this command line behind the workspace, such as ["resume", "city"]."""
    words = sys.argv[1:]
    while words and words[0].startswith("--workspace"):
        words = words[1:] if "=" in words[0] else words[2:]
    return words


def print_json(document: Any) -> None:
    print(json.dumps(document, indent=2, default=_as_text, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """A table for people; where there are no rows, the words that say what to do."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows:
        print(empty)
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(format_cell(value) for value in row))
    Console().print(table)


def format_cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _as_text(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
