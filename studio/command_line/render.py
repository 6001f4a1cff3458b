"""studio render: films."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from latent.errors import UserError
from studio.command_line.context import AsJson, Run, job_of, print_json, print_table, workspace_of

if TYPE_CHECKING:
    from renderers.outputs import Video

app = typer.Typer(no_args_is_help=True, help="Films of training, and of walks in latent space.")

Points = Annotated[str, typer.Option(help="Labels, seed:N or exported JPEGs, with commas between.")]
Fps = Annotated[int, typer.Option(help="Frames per second.")]
Out = Annotated[Path | None, typer.Option(help="FILE.mp4; a place in the workspace by default.")]
Scale = Annotated[
    int | None, typer.Option(help="Enlarge pixels by this factor; small pictures are by default.")
]


@app.command()
def timelapse(
    context: typer.Context,
    run: Run,
    points: Points = "",
    batches: Annotated[
        str, typer.Option(help="FROM:TO, FROM:TO:STEP or 1,50,200; all by default.")
    ] = "",
    fps: Fps = 60,
    grid: Annotated[
        bool, typer.Option("--grid", help="One film of all points instead of one a point.")
    ] = False,
    both: Annotated[
        bool, typer.Option("--both", help="One film a point and one of all, in one pass.")
    ] = False,
    overlay: Annotated[bool, typer.Option("--overlay", help="Show the batch number.")] = False,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out batches without a checkpoint.")
    ] = False,
    scale: Scale = None,
    devices: Annotated[
        str, typer.Option(help="Such as cuda:0,cuda:1; the best there is by default.")
    ] = "",
    engine: Annotated[
        Literal["local"], typer.Option(help="Where the parts are rendered.")
    ] = "local",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """One frame a checkpoint at fixed latent points, all points in one pass."""
    from renderers.plan import RenderOptions
    from studio.films import film_timelapse

    began = time.monotonic()
    options = RenderOptions(
        fps=fps, scale=scale, overlay=overlay, points=both or not grid, grid=both or grid
    )
    with job_of(context, run) as reporter, reporter.task("Rendering frames") as on_progress:
        videos = film_timelapse(
            workspace_of(context),
            run,
            _split(points),
            batches,
            options,
            on_progress,
            devices=_split(devices),
            skip_missing=skip_missing,
            out=out,
        )
    _show(videos, time.monotonic() - began, as_json)


@app.command()
def interpolation(
    context: typer.Context,
    run: Run,
    points: Points,
    batch: Annotated[int | None, typer.Option(help="The checkpoint; the last by default.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of the film.")] = 10.0,
    fps: Fps = 60,
    scale: Scale = None,
    device: Annotated[str | None, typer.Option(help="Such as cuda:0.")] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Walk from city to city along great circles, at one checkpoint."""
    from renderers.plan import RenderOptions
    from studio.films import film_interpolation

    began = time.monotonic()
    options = RenderOptions(fps=fps, scale=scale)
    with job_of(context, run) as reporter, reporter.task("Rendering frames") as on_progress:
        video = film_interpolation(
            workspace_of(context),
            run,
            batch,
            _split(points),
            seconds,
            options,
            on_progress,
            device=device,
            out=out,
        )
    _show([video], time.monotonic() - began, as_json)


def _split(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if text.strip() and not all(parts):
        raise UserError(f"'{text}' has an empty place between two commas.")
    return [part for part in parts if part]


def _show(videos: Sequence[Video], seconds: float, as_json: bool) -> None:
    if as_json:
        listed = [{"path": v.path, "label": v.label, "frames": v.frames} for v in videos]
        print_json({"videos": listed, "seconds": round(seconds, 3)})
        return
    print_table(["video", "frames"], [(v.path, v.frames) for v in videos], "")
