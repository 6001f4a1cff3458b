"""studio render: films."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from studio.command_line.context import AsJson, Run, job_of, print_json, print_table, workspace_of
from studio.command_line.montage import sheet
from studio.command_line.rendering import Points, read_rendering, split, with_film_options
from studio.workspace.errors import StudioError

if TYPE_CHECKING:
    from renderers.plan.outputs import Video
    from studio.films.film_options import Rendering

app = typer.Typer(no_args_is_help=True, help="Films of training, and of walks in latent space.")
app.command()(sheet)

Seconds = Annotated[float | None, typer.Option(help="Length of the film; 10 by default.")]
Easing = Annotated[
    Literal["linear", "smooth", "ends"],
    typer.Option(help="One pace, slower at every stop, or only at the first and the last."),
]


@app.command()
@with_film_options
def timelapse(
    context: typer.Context,
    run: Run,
    points: Points = "",
    batches: Annotated[
        str, typer.Option(help="FROM:TO, FROM:TO:STEP or 1,50,200; all by default.")
    ] = "",
    last: Annotated[int | None, typer.Option(help="Only so many of the last checkpoints.")] = None,
    pace: Annotated[
        Literal["batch", "perceptual"],
        typer.Option(help="A frame a checkpoint, or the same visible change every second."),
    ] = "batch",
    duration: Annotated[
        float | None, typer.Option(help="Seconds; checkpoints are chosen to fit.")
    ] = None,
    grid: Annotated[
        bool, typer.Option("--grid", help="One film of all points instead of one a point.")
    ] = False,
    both: Annotated[
        bool, typer.Option("--both", help="One film a point and one of all, in one pass.")
    ] = False,
    columns: Annotated[int | None, typer.Option(help="Of the grid.")] = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out batches without a checkpoint.")
    ] = False,
    hold_missing: Annotated[
        bool, typer.Option("--hold-missing", help="Show the checkpoint before, where one lacks.")
    ] = False,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave out checkpoints that cannot be read.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Film the run while it trains, until it ends.")
    ] = False,
) -> None:
    """One frame a checkpoint at fixed latent points, all points in one pass."""
    from studio.films.film_options import Timelapse
    from studio.films.timelapse import film_timelapse, follow_timelapse

    if skip_missing and hold_missing:
        raise StudioError("Missing checkpoints are skipped or held, not both: name one of the two.")
    rendering = read_rendering(context.params, points=both or not grid, grid=both or grid)
    wish = Timelapse(
        points=split(points),
        batches=batches,
        last=last,
        missing="skip" if skip_missing else "hold" if hold_missing else "refuse",
        pace=pace,
        duration_s=duration,
        skip_damaged=skip_damaged,
    )
    began, workspace = time.monotonic(), workspace_of(context)
    with job_of(context, run) as reporter, reporter.task("Rendering frames") as on_progress:
        if follow:
            videos = follow_timelapse(workspace, run, wish, rendering, on_progress)
        else:
            videos = film_timelapse(workspace, run, wish, rendering, on_progress, reporter.say)
    _show(context, videos, time.monotonic() - began)


@app.command()
@with_film_options
def interpolation(
    context: typer.Context,
    run: Run,
    points: Points = "",
    batch: Annotated[int | None, typer.Option(help="The checkpoint; the last by default.")] = None,
    batches: Annotated[
        str | None, typer.Option(help="Go along these checkpoints, as FROM:TO, meanwhile.")
    ] = None,
    seconds: Seconds = None,
    seconds_per_leg: Annotated[
        float | None, typer.Option(help="From stop to stop, instead of --seconds.")
    ] = None,
    kind: Annotated[
        Literal["slerp", "linear", "spline", "circle", "noise"],
        typer.Option(help="Great circles, straight lines, a smooth curve; a circle; noise."),
    ] = "slerp",
    easing: Easing = "linear",
    loop: Annotated[bool, typer.Option("--loop", help="Come back to the first point.")] = False,
    seed: Annotated[int, typer.Option(help="Of a circle's plane, or of a noise walk.")] = 0,
) -> None:
    """Walk from city to city, at one checkpoint or along training."""
    from studio.films.film_options import Interpolation
    from studio.films.interpolation import film_interpolation

    rendering = read_rendering(context.params)
    wish = Interpolation(
        points=split(points),
        batch=batch,
        batches=batches,
        seconds=seconds,
        seconds_per_leg=seconds_per_leg,
        kind=kind,
        easing=easing,
        loop=loop,
        seed=seed,
    )
    began = time.monotonic()
    with job_of(context, run) as reporter, reporter.task("Rendering frames") as on_progress:
        video = film_interpolation(
            workspace_of(context), run, wish, rendering, on_progress, reporter.say
        )
    _show(context, [video], time.monotonic() - began)


@app.command()
@with_film_options
def path(
    context: typer.Context,
    run: Run,
    keys: Annotated[
        str, typer.Argument(metavar="KEYS", help="Such as '12000@16500.28 -> 19000@18218.3'.")
    ],
    seconds: Annotated[float, typer.Option(help="Length of the film.")] = 10.0,
    kind: Annotated[
        Literal["slerp", "linear", "spline"], typer.Option(help="The way from key to key.")
    ] = "slerp",
    easing: Easing = "linear",
) -> None:
    """Move along training and through latent space together, from key to key."""
    from studio.films.film_options import KeyFramed
    from studio.films.interpolation import film_key_frames

    rendering = read_rendering(context.params)
    wish = KeyFramed(keys, seconds, kind, easing)
    began = time.monotonic()
    with job_of(context, run) as reporter, reporter.task("Rendering frames") as on_progress:
        video = film_key_frames(
            workspace_of(context), run, wish, rendering, on_progress, reporter.say
        )
    _show(context, [video], time.monotonic() - began)


@app.command()
def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A finished video.")],
    as_json: AsJson = False,
) -> None:
    """Count the frames of a film by decoding, and compare with its plan."""
    from renderers.jobs.verification import find_render, verify_video

    folder = find_render(workspace_of(context).renders, file)
    verdict = verify_video(folder, file)
    if as_json:
        print_json(
            {
                "ok": verdict.reason is None,
                "path": file,
                "label": verdict.label,
                "frames": verdict.frames,
                "expected": verdict.expected,
                "reason": verdict.reason,
            }
        )
    elif verdict.reason is None:
        print(f"{file} is whole: {verdict.frames:,} frames, as planned.")
    else:
        print(f"{file} is not whole: {verdict.reason}. Give the command that made it again.")
    if verdict.reason is not None:
        raise typer.Exit(1)


def read_words(words: Sequence[str]) -> Rendering:
    """How a film is rendered by a command that is still to be given: `timelapse RUN --crf 12`.

    Raises:
        StudioError: the command would be refused by its options alone.
    """
    group: Any = typer.main.get_command(app)
    try:
        given = group.commands[words[0]].make_context(words[0], list(words[1:])).params
    except typer.TyperException as error:
        raise StudioError(error.format_message()) from error
    return read_rendering(given)


def _show(context: typer.Context, videos: Sequence[Video], seconds: float) -> None:
    if context.params["as_json"]:
        listed = [{"path": v.path, "label": v.label, "frames": v.frames} for v in videos]
        print_json({"videos": listed, "seconds": round(seconds, 3)})
        return
    print_table(["video", "frames"], [(v.path, v.frames) for v in videos], "")
