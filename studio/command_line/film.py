"""studio film: what a run filmed of itself while it trained."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from studio.command_line.context import AsJson, Run, print_json, print_table, workspace_of
from studio.workspace.errors import StudioError


def register(app: typer.Typer) -> None:
    app.command()(film)


def film(
    context: typer.Context,
    run: Run,
    point: Annotated[
        str | None, typer.Option(help="Label of one fixed point, such as 0.3; all by default.")
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Only the grid of all points.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="FILE.mp4; a place in the workspace by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The film of the fixed points as it stands, also while the run trains."""
    from renderers.plan.outputs import GRID
    from studio.films.live import join_live_film

    if point is not None and grid:
        raise StudioError("--point and --grid each name one film: leave one of them out.")
    began = time.monotonic()
    labels = [GRID] if grid else None if point is None else [point]
    videos = join_live_film(workspace_of(context), run, out, labels)
    if as_json:
        listed = [{"path": v.path, "label": v.label, "frames": v.frames} for v in videos]
        print_json({"videos": listed, "seconds": round(time.monotonic() - began, 3)})
        return
    print_table(["video", "frames"], [(v.path, v.frames) for v in videos], "")
