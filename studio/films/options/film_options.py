"""What may be asked of a film, declared once: how it looks, which file it is, what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from studio.datasets.fits import Fit
from studio.exploration.direction_options import DirectionOptions
from studio.exploration.inversion_options import gallery_size, picture_fit
from studio.films.options.composition_options import LOOKS
from studio.films.options.look_options import WHERE, FilmLook
from studio.workspace.records.declarations import Commas
from studio.workspace.records.record import (
    DeclaredRecord,
    InvalidValueError,
    device_option,
    option,
    run_name,
)

DEFAULT_SECONDS = 10.0
MAX_SECONDS = 3600.0


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


class FilmOptions(FilmLook):
    """What all films of a run have."""

    precision: Literal["float32", "bf16"] = option(
        "float32", "Of the forward pass; bf16 only where frames stay within a level.", section=WHERE
    )
    compile: bool = option(
        False,
        "Forward passes by torch.compile, which takes half a minute and more at first; only "
        "where frames stay within a level.",
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

    def passes(self) -> dict[str, Any]:
        """The arithmetic of forward passes, and whether they are compiled."""
        return {"precision": self.precision, "compile": self.compile}

    @property
    def is_local(self) -> bool:
        """Whether this machine renders it, and no cluster."""
        return self.engine == "local"


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
