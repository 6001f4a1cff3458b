"""The options that all films have, and what they say together."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from studio.command_line.context import AsJson
from studio.workspace.errors import StudioError

if TYPE_CHECKING:
    from studio.films.film_options import Rendering

DEFAULT_FILE = "film.mp4"  # whose suffix decides, where no file is named

Points = Annotated[str, typer.Option(help="Labels, seed:N or exported JPEGs, with commas between.")]
Fps = Annotated[int, typer.Option(help="Frames per second.")]
Size = Annotated[str | None, typer.Option(help="Of the video: 1920x1080, or 512 for a square.")]
Crop = Annotated[str | None, typer.Option(help="The part of each picture: WIDTHxHEIGHT+X+Y.")]
Scale = Annotated[
    int | None, typer.Option(help="Enlarge pixels by this factor; small pictures are by default.")
]
Scaling = Annotated[
    Literal["nearest", "lanczos"], typer.Option(help="Pixels as squares, or smooth.")
]
Overlay = Annotated[bool, typer.Option("--overlay", help="Show the batch number.")]
Show = Annotated[
    str,
    typer.Option(
        help="What to write on the film, of batch,run,label,events,curve (the loss of G)."
    ),
]
Form = Annotated[
    str | None,
    typer.Option(
        "--format", help="mp4, webm, mov, mkv, webp, gif, png or jpg, where no --out says it."
    ),
]
Codec = Annotated[
    str | None, typer.Option(help="Where a format has several: vp9 or av1 in a webm.")
]
EncoderName = Annotated[
    str | None, typer.Option(help="Of ffmpeg; auto takes a GPU's if one works.")
]
Preset = Annotated[str | None, typer.Option(help="Speed of the encoder, in its own words.")]
Crf = Annotated[int | None, typer.Option(help="Quality; 0 is best, 18 looks like the original.")]
Precision = Annotated[
    Literal["float32", "bf16"],
    typer.Option(help="Of the forward pass; bf16 only where frames stay within a level."),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Forward passes by torch.compile, which takes half a minute and more at first; only "
        "where frames stay within a level.",
    ),
]
Devices = Annotated[
    str, typer.Option(help="Such as cuda:0,cuda:1; all GPUs that are there by default.")
]
EngineName = Annotated[
    Literal["local", "ray"], typer.Option(help="Where the parts are rendered; see docs/cluster.md.")
]
Address = Annotated[
    str | None, typer.Option(help="Of the Ray cluster; auto joins the one that runs here.")
]
Out = Annotated[
    Path | None, typer.Option(help="FILE.mp4 or another; a place in the workspace by default.")
]


def film_options(
    fps: Fps = 60,
    size: Size = None,
    crop: Crop = None,
    scale: Scale = None,
    scaling: Scaling = "nearest",
    overlay: Overlay = False,
    show: Show = "",
    form: Form = None,
    codec: Codec = None,
    encoder: EncoderName = None,
    preset: Preset = None,
    crf: Crf = None,
    precision: Precision = "float32",
    compile: Compile = False,
    devices: Devices = "",
    engine: EngineName = "local",
    address: Address = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """The options of every film, for `with_film_options`."""


def with_film_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of every film after its own; it finds them in its context."""
    own = inspect.signature(command, eval_str=True)
    shared = inspect.signature(film_options, eval_str=True)

    @functools.wraps(command)
    def call(**given: Any) -> None:
        command(**{name: given[name] for name in own.parameters})

    parameters = [*own.parameters.values(), *shared.parameters.values()]
    call.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call


def read_rendering(
    given: Mapping[str, Any], *, points: bool = True, grid: bool = False
) -> Rendering:
    """How to render, from the options that all films have.

    Args:
        given: the values of `film_options`, by their names.

    Raises:
        StudioError: a value cannot be read, or is out of its range.
    """
    from renderers.pictures.display_options import DisplayOptions, parse_crop, parse_size
    from renderers.plan.options import RenderOptions
    from renderers.video.encoders import choose_encoder
    from renderers.video.formats import format_of
    from studio.films.film_options import Rendering

    form = format_of(_named_file(given["out"], given["form"]), given["codec"])
    size, crop = given["size"], given["crop"]
    show = ["batch"] * given["overlay"] + split(given["show"])
    options = RenderOptions(
        fps=given["fps"],
        display=DisplayOptions(
            crop=parse_crop(crop) if crop else None,
            size=parse_size(size) if size else None,
            scale=given["scale"],
            scaling=given["scaling"],
        ),
        overlay=tuple(dict.fromkeys(show)),
        points=points,
        grid=grid,
        columns=given.get("columns"),
        format=form,
        encoder=choose_encoder(given["encoder"], form.part_codec),
        preset=given["preset"],
        crf=given["crf"],
        precision=given["precision"],
        compile=given["compile"],
    )
    return Rendering(
        options=options,
        devices=split(given["devices"]),
        engine=given["engine"],
        address=given["address"],
        out=given["out"],
    )


def split(text: str) -> list[str]:
    """The words between commas.

    Raises:
        StudioError: one of them is empty.
    """
    parts = [part.strip() for part in text.split(",")]
    if text.strip() and not all(parts):
        raise StudioError(f"'{text}' has an empty place between two commas.")
    return [part for part in parts if part]


def _named_file(out: Path | None, form: str | None) -> str:
    """A file of the wanted format."""
    if out is not None:
        if form is not None:
            raise StudioError(f"The name {out.name} says the format: leave out --format {form}.")
        return str(out)
    if form is None:
        return DEFAULT_FILE
    return f"%06d.{form}" if form in ("png", "jpg", "jpeg") else f"film.{form}"
