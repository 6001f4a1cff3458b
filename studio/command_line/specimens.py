"""studio specimens: cities worth keeping, and their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.command_line.context import AsJson, Run, job_of, print_json, print_table, workspace_of

if TYPE_CHECKING:
    from studio.specimens.specimens import Specimen

app = typer.Typer(no_args_is_help=True, help="Cities worth keeping, and their pictures.")

Out = Annotated[Path | None, typer.Option(help="Folder for the JPEGs; the workspace's by default.")]
Labels = Annotated[
    list[str], typer.Argument(help="Labels such as 16500.28, seed:123, or exported JPEGs.")
]


@app.command()
def sample(
    context: typer.Context,
    run: Run,
    batch: Annotated[int, typer.Option(help="The checkpoint to look at.")],
    count: Annotated[int, typer.Option(help="How many to draw.")] = 64,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Draw new specimens at a checkpoint and export their pictures."""
    from studio.specimens.specimens import sample_specimens

    with job_of(context, run) as reporter, reporter.task("Drawing specimens") as on_progress:
        drawn = sample_specimens(workspace_of(context), run, batch, count, on_progress, out)
    _show(drawn, as_json)


@app.command()
def export(
    context: typer.Context,
    run: Run,
    labels: Labels,
    out: Out = None,
    at_batch: Annotated[
        int | None, typer.Option(help="See them at this checkpoint; else at that of the label.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write specimens as JPEGs that know which run, batch and latent point they show."""
    from studio.specimens.specimens import export_specimens

    _show(export_specimens(workspace_of(context), run, labels, out, at_batch), as_json)


@app.command("list")
def list_all(context: typer.Context, run: Run, as_json: AsJson = False) -> None:
    """List the specimens of a run, starred ones first."""
    from studio.specimens.specimens import list_specimens

    _show(list_specimens(workspace_of(context), run), as_json)


@app.command()
def star(
    context: typer.Context,
    run: Run,
    labels: Labels,
    undo: Annotated[bool, typer.Option("--undo", help="Take the star away.")] = False,
) -> None:
    """Mark specimens as worth keeping."""
    from studio.specimens.specimens import star_specimen

    for label in labels:
        star_specimen(workspace_of(context), run, label, starred=not undo)


def _show(specimens: Sequence[Specimen], as_json: bool) -> None:
    if as_json:
        keys = ("label", "batch", "index", "origin", "starred", "path")
        print_json([{key: getattr(specimen, key) for key in keys} for specimen in specimens])
        return
    print_table(
        ["", "label", "origin", "picture"],
        [("★" if s.starred else "", s.label, s.origin, s.path) for s in specimens],
        "No specimens yet. Draw some: studio specimens sample RUN --batch BATCH --count 64",
    )
