"""What may be asked of a film, declared once: how it looks, which file it is, what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, PlainSerializer

from renderers.video.rates import MAX_RATE, MIN_RATE, Rate, parse_rate, write_rate
from studio.datasets.fits import Fit
from studio.exploration.direction_options import DirectionOptions
from studio.exploration.inversion_options import gallery_size, picture_fit
from studio.films.options.composition_options import COMPOSED_RATE, LOOKS, CompositionOptions
from studio.workspace.errors import StudioError
from studio.workspace.records.declarations import Commas, Written
from studio.workspace.records.record import (
    DeclaredRecord,
    InvalidValueError,
    device_option,
    option,
    run_name,
)

if TYPE_CHECKING:
    from renderers.plan.options import RenderOptions
    from renderers.video.formats import Format

DEFAULT_SECONDS = 10.0
MAX_SECONDS = 3600.0
FrameRate = Annotated[
    Rate,
    BeforeValidator(lambda value: None if value is None else parse_rate(value)),
    PlainSerializer(write_rate, when_used="json"),
    Written("RATE", "60"),
]
FILE, WHERE = "The file", "Where it is rendered"
WRITTEN_ANYWAY = ("batch", "run", "label")  # A composition shows these in any case.


def film_points() -> Any:
    """The field of the points that a film shows."""
    return option(
        (),
        "Labels, seed:N, seed:1-9 for nine of them, or exported JPEGs, with commas between.",
        risk="path",
    )


def film_batches() -> Any:
    """The field of the batches that a film or a sheet shows."""
    return option(
        "", "FROM:TO, FROM:TO:STEP or 1,50,200; all by default.", example="all, or 0:19000"
    )


def film_easing() -> Any:
    """The field of the pace between stops."""
    return option("linear", "One pace, slower at every stop, or only at the first and the last.")


class FilmOptions(CompositionOptions):
    """What all films have.

    Attributes:
        CONTENT: the fields that tell a film from others of its kind, in an order that stays.
    """

    CONTENT: ClassVar[tuple[str, ...]] = ()

    fps: FrameRate | None = option(
        None,
        "Frames per second, such as 24, 23.976 or 24000/1001; 60 by default, 50 in a GIF, 30 in a "
        "composition.",
        ge=MIN_RATE,
        le=MAX_RATE,
        section=LOOKS,
    )
    size: str | None = option(
        None,
        "Size of the video: 1920x1080, or 512 for a square.",
        example="such as 1920x1080",
        section=LOOKS,
    )
    crop: str | None = option(
        None,
        "The part of each picture: WIDTHxHEIGHT+X+Y.",
        example="WIDTHxHEIGHT+X+Y",
        section=LOOKS,
    )
    scale: int | None = option(
        None, "Enlarge pixels by this factor; small pictures are by default.", section=LOOKS
    )
    scaling: Literal["nearest", "lanczos"] = option(
        "lanczos", "Pixels as squares, or smooth.", section=LOOKS
    )
    upscale: str = option(
        "",
        "Enlarge pictures by this run of super-resolution, as often as needed, before they come "
        "to their size.",
        metavar="RUN@BATCH",
        section=LOOKS,
    )
    overlay: bool = option(False, "Show the batch number.", section=LOOKS)
    show: Commas = option(
        (),
        "What to write on the film, of batch,run,label,events,curve (the loss of G).",
        section=LOOKS,
    )
    format: str | None = option(
        None, "mp4, webm, mov, mkv, webp, gif, png or jpg, where no --out says it.", section=FILE
    )
    codec: str | None = option(
        None, "Where a format has several: vp9 or av1 in a webm.", section=FILE
    )
    encoder: str | None = option(
        None, "Encoder of ffmpeg; auto takes a GPU's if one works.", section=FILE
    )
    preset: str | None = option(None, "Speed of the encoder, in its own words.", section=FILE)
    crf: int | None = option(None, "Quality; 0 is best, 18 looks like the original.", section=FILE)
    out: Path | None = option(
        None, "FILE.mp4 or another; a place in the workspace by default.", section=FILE
    )
    overwrite: bool = option(False, "Replace what has the name in --out already.", section=FILE)
    precision: Literal["float32", "bf16"] = option(
        "float32", "Of the forward pass; bf16 only where frames stay within a level.", section=WHERE
    )
    compile: bool = option(
        False,
        "Forward passes by torch.compile, which takes half a minute and more at first; only "
        "where frames stay within a level.",
        section=WHERE,
    )
    devices: Commas = option(
        (),
        "Such as cuda:0,cuda:1; all GPUs that are there by default. auto takes those that nobody "
        "works on, and waits for one where there is none.",
        section=WHERE,
    )
    engine: Literal["local", "ray"] = option(
        "local", "Where the parts are rendered; see docs/cluster.md.", section=WHERE
    )
    address: str | None = option(
        None,
        "Address of the Ray cluster; auto joins the one that runs here.",
        section=WHERE,
        risk="address",
    )

    def file_format(self) -> Format:
        """What the film is as a file.

        Raises:
            RenderError: an unknown suffix or codec.
            StudioError: both the file and the format were named.
        """
        from renderers.video.formats import format_of

        if self.out is not None and self.format is not None:
            raise StudioError(
                f"The name {self.out.name} says the format: leave out --format {self.format}."
            )
        suffix = self.format or "mp4"
        named = f"%06d.{suffix}" if suffix in ("png", "jpg", "jpeg") else f"film.{suffix}"
        return format_of(str(self.out or named), self.codec)

    def rate(self) -> Rate:
        """Frames per second, as asked for or as is usual in the format.

        Raises:
            RenderError: see `file_format`.
        """
        if self.fps is not None:
            return self.fps
        return COMPOSED_RATE if self.is_composed else self.file_format().usual_rate

    def spelled(self) -> str:
        """The command that makes the film, without folders of this machine; empty if none does."""
        return ""

    def views(self) -> dict[str, Any]:
        """Which videos are made: `points`, one a point; `grid`, one of all; its `columns`."""
        return {"points": False, "grid": True, "columns": None}

    def render_options(self) -> RenderOptions:
        """How frames look and which videos are made of them.

        Raises:
            RenderError: a value cannot be read, or does not go with the others.
        """
        from renderers.frames.devices import card_number
        from renderers.pictures.display_options import DisplayOptions, parse_crop, parse_size
        from renderers.plan.options import RenderOptions
        from renderers.video.encoders import choose_encoder

        views = self.views()
        composition = self.compose(views["columns"], self.scaling)
        if composition is not None:
            self._require_composable()
        written = () if composition else (*(["batch"] * self.overlay), *self.show)
        form = self.file_format()
        cards = [card_number(device) for device in self.devices] or [None]
        return RenderOptions(
            fps=self.rate(),
            display=DisplayOptions(
                crop=parse_crop(self.crop) if self.crop else None,
                size=parse_size(self.size) if self.size else None,
                scale=self.scale,
                scaling=self.scaling,
            ),
            overlay=tuple(dict.fromkeys(written)),
            **views,
            composition=composition,
            format=form,
            encoder=choose_encoder(self.encoder, form.part_codec, cards, self.engine == "local"),
            preset=self.preset,
            crf=self.crf,
            precision=self.precision,
            compile=self.compile,
        )

    def _require_composable(self) -> None:
        """Raise InvalidValueError for what a composition has no place for."""
        if self.size is not None or self.scale is not None:
            raise InvalidValueError(
                "A composition has its own size: choose {aspect} and {resolution} rather than "
                "{size} or {scale}."
            )
        if others := [name for name in self.show if name not in WRITTEN_ANYWAY]:
            raise InvalidValueError(
                f"A composition does not show {' and '.join(others)}: leave it out of {{show}}, or "
                "render the film without {composition}, {aspect} and {resolution}."
            )

    def identity(self) -> str:
        """What tells this film from others of its kind: its content, and how it is composed.

        The folder of a film without a name is named after it, in earlier versions as well.
        """
        content = self.content()
        values = tuple(list(v) if isinstance(v, tuple) else v for v in content.values())
        if self.is_composed:
            values += (self.composition, self.aspect, self.resolution)
        if self.upscale:
            values += (self.upscale,)
        return repr((values, self.file_format()))

    def content(self) -> dict[str, Any]:
        """The fields that tell it from others of its kind, as they are understood."""
        return {name: getattr(self, name) for name in self.CONTENT}


class FilmsOfPoints(FilmOptions):
    """What films of several points have, which may be one film a point, or one of all."""

    films: Literal["each", "grid", "both"] | None = option(
        None,
        "One film a point, one of all points, or both in one pass; a composition is of all.",
        switches={
            "each": ("--each", "One film a point, as is usual but for a composition."),
            "grid": ("--grid", "One film of all points instead of one a point."),
            "both": ("--both", "One film a point and one of all, in one pass."),
        },
    )
    columns: int | None = option(None, "Columns in the grid.", ge=1)

    def views(self) -> dict[str, Any]:
        """A video a point, one of all points, or both."""
        films = self.films or ("grid" if self.is_of_all else "each")
        return {
            "points": films != "grid",
            "grid": films != "each",
            "columns": self.columns,
        }


class Timelapse(FilmsOfPoints):
    """One frame a checkpoint, at points that stay."""

    CONTENT = ("points", "batches", "last", "missing", "pace", "duration", "skip_damaged")

    run: str = run_name()
    points: Commas = film_points()
    batches: str = film_batches()
    last: int | None = option(None, "Only so many of the last checkpoints.", ge=1)
    pace: Literal["batch", "perceptual"] | None = option(
        None,
        "A frame a checkpoint, or the same visible change every second; batch by default, and "
        "perceptual in a composition.",
    )
    duration: float | None = option(
        None,
        "Length of the film; checkpoints are chosen to fit. A composition has 20 to 40 s by "
        "default.",
        unit="s",
        gt=0,
        le=MAX_SECONDS,
        example="all it takes",
    )
    missing: Literal["refuse", "skip", "hold"] = option(
        "refuse",
        "Batches without a checkpoint are refused, skipped, or show the one before.",
        switches={
            "skip": ("--skip-missing", "Leave out batches without a checkpoint."),
            "hold": ("--hold-missing", "Show the checkpoint before, where one lacks."),
        },
    )
    skip_damaged: bool = option(False, "Leave out checkpoints that cannot be read.")
    follow: bool = option(False, "Film the run while it trains, until it ends.")

    @property
    def is_exact(self) -> bool:
        """Whether every checkpoint is a frame, and nothing else is."""
        return self.duration is None and self.understood_pace == "batch"

    @property
    def understood_pace(self) -> str:
        """The pace that was asked for, or the one that suits how the film looks."""
        return self.pace or ("perceptual" if self.is_composed else "batch")

    def content(self) -> dict[str, Any]:
        """The fields that tell it from others; a pace that nobody chose is the one it has."""
        return {**super().content(), "pace": self.understood_pace}


class LayerFilm(FilmsOfPoints):
    """Maps of a layer at points that stay, a frame a checkpoint."""

    CONTENT = (
        *("points", "batches", "layer", "channels", "colours", "brightness", "sampled"),
        "skip_missing",
    )

    run: str = run_name()
    layer: str = option(
        help="Name of a layer; they are listed by studio layers RUN.", metavar="NAME"
    )
    channels: Commas = option(
        (), "Numbers of its maps, the first being 0; the first 16 by default.", example="0,3,7"
    )
    points: Commas = film_points()
    batches: str = film_batches()
    colours: Literal["grey", "viridis"] = option("grey", "From the least number to the greatest.")
    brightness: Literal["channel", "shared"] = option(
        "channel", "Each channel from its own least number to its greatest, or one range for all."
    )
    sampled: int = option(
        64,
        "At how many of the batches, evenly chosen, the least and the greatest number are looked "
        "for; numbers beyond are shown as these.",
        ge=2,
        le=100_000,
    )
    skip_missing: bool = option(False, "Leave out batches without a checkpoint.")
    scaling: Literal["nearest", "lanczos"] = option(
        "nearest", "Pixels as squares, since they are numbers, or smooth.", section=LOOKS
    )

    def require_plain(self) -> None:
        """Raise InvalidValueError for what is of pictures, and not of the maps of a layer."""
        if self.upscale:
            raise InvalidValueError("{upscale} is for pictures: leave it out for a layer.")
        if self.compile:
            raise InvalidValueError("{compile} is for pictures: leave it out for a layer.")


class DirectionFilm(FilmsOfPoints, DirectionOptions):
    """Points that go along a direction, to one side, to the other, and back."""

    CONTENT = ("points", "batch", "method", "having", "lacking", "strength", "number", "seconds")

    points: Commas = film_points()
    number: int = option(0, "Which of the directions, the first being 0.", ge=0, le=63)
    seconds: float = option(DEFAULT_SECONDS, "Length of the film.", unit="s", gt=0, le=MAX_SECONDS)


class Interpolation(FilmOptions):
    """A latent point that moves, at one checkpoint or along training."""

    CONTENT = (
        *("points", "batch", "batches", "seconds", "seconds_per_segment"),
        *("kind", "easing", "loop", "seed"),
    )

    run: str = run_name()
    points: Commas = film_points()
    batch: int | None = option(
        None, "The checkpoint; the last one by default.", ge=0, example="the last"
    )
    batches: str | None = option(
        None, "Go along these checkpoints, as FROM:TO, meanwhile.", example="such as 0:19000"
    )
    seconds: float | None = option(
        None,
        "Length of the film; 10 by default.",
        unit="s",
        gt=0,
        le=MAX_SECONDS,
        example=f"{DEFAULT_SECONDS:g}",
    )
    seconds_per_segment: float | None = option(
        None,
        "Time from stop to stop, instead of --seconds.",
        flag="--seconds-per-leg",
        unit="s",
        gt=0,
        le=MAX_SECONDS,
    )
    kind: Literal["slerp", "linear", "spline", "circle", "noise"] = option(
        "slerp", "Great circles, straight lines, a smooth curve; a circle; noise."
    )
    easing: Literal["linear", "smooth", "ends"] = film_easing()
    loop: bool = option(False, "Come back to the first point.")
    seed: int = option(0, "Seed of a circle's plane, or of a noise walk.")

    def require_one_length(self) -> None:
        """Raise InvalidValueError where both the film's length and that of its edges are given."""
        if self.seconds is not None and self.seconds_per_segment is not None:
            raise InvalidValueError(
                "Give {seconds} of the whole film or {seconds_per_segment} between stops, not both."
            )


class WalkNear(FilmOptions):
    """A latent point that strolls around where it was, and comes back."""

    CONTENT = ("point", "batch", "radius", "seconds", "seed")

    run: str = run_name()
    point: str = option(
        help="Label, seed:N, or an exported JPEG.", argument=True, metavar="POINT", risk="path"
    )
    batch: int | None = option(
        None, "The checkpoint; the last one by default.", ge=0, example="the last"
    )
    radius: float = option(
        0.5,
        "How far it goes, in standard deviations of z; other cities are at 1.41.",
        gt=0,
        le=1.41,
    )
    seconds: float = option(DEFAULT_SECONDS, "Length of the film.", unit="s", gt=0, le=MAX_SECONDS)
    seed: int = option(0, "Another seed goes another way.", ge=0)


class FilmBetween(FilmOptions):
    """From one picture to another through latent space."""

    run: str = run_name()
    pictures: tuple[Path, ...] = option(
        help="Pictures of any kind, two or more.", argument=True, metavar="PICTURE", risk="path"
    )
    batch: int | None = option(
        None, "The checkpoint; the last one by default.", ge=0, example="the last"
    )
    fit: Fit = picture_fit()
    gallery: int = gallery_size()
    seconds: float = option(DEFAULT_SECONDS, "Length of the film.", unit="s", gt=0, le=MAX_SECONDS)
    kind: Literal["slerp", "linear", "spline"] = option("slerp", "The way from city to city.")
    easing: Literal["linear", "smooth", "ends"] = film_easing()
    loop: bool = option(False, "Come back to the first picture.")

    def as_interpolation(self, points: Sequence[str], batch: int) -> Interpolation:
        """The film of these points, which looks as this one does.

        Args:
            points: labels of the latent points that were found for the pictures.
        """
        shared = set(type(self).model_fields) & set(Interpolation.model_fields)
        values = {name: getattr(self, name) for name in shared}
        return Interpolation(**{**values, "points": tuple(points), "batch": batch})


class KeyFramedPath(FilmOptions):
    """A path on which batch and latent point move together, from key to key."""

    CONTENT = ("keys", "seconds", "kind", "easing")

    run: str = run_name()
    keys: str = option(
        help="Such as '12000@16500.28 -> 19000@18218.3'.",
        argument=True,
        metavar="KEYS",
        risk="path",
    )
    seconds: float = option(DEFAULT_SECONDS, "Length of the film.", unit="s", gt=0, le=MAX_SECONDS)
    kind: Literal["slerp", "linear", "spline"] = option("slerp", "The way from key to key.")
    easing: Literal["linear", "smooth", "ends"] = film_easing()


class SheetOptions(DeclaredRecord):
    """Points and checkpoints in one picture."""

    run: str = run_name()
    points: Commas = film_points()
    batches: str = film_batches()
    batch: int | None = option(
        None, "Many points at this one checkpoint.", ge=0, example="such as 16500"
    )
    count: int | None = option(
        None,
        "Pick so many of the batches evenly; as many as are readable.",
        ge=1,
        example="as is readable",
    )
    skip_missing: bool = option(False, "Leave out batches without a checkpoint.")
    columns: int | None = option(None, "Pictures in a row, of one point or at one batch.", ge=1)
    scale: int | None = option(
        None,
        "Enlarge pixels by this factor; readable by default.",
        ge=1,
        example="as is readable",
    )
    device: str | None = device_option()
    out: Path | None = option(None, "FILE.png or FILE.jpg; a place in the workspace by default.")
    overwrite: bool = option(False, "Replace the file in --out if it is there.")
