"""How a film looks, and which file it is: what films have, whatever their pictures are made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, PlainSerializer

from renderers.video.rates import MAX_RATE, MIN_RATE, Rate, parse_rate, write_rate
from studio.films.options.composition_options import COMPOSED_RATE, LOOKS, CompositionOptions
from studio.workspace.errors import StudioError
from studio.workspace.records.declarations import Commas, Written
from studio.workspace.records.record import InvalidValueError, option

if TYPE_CHECKING:
    from renderers.plan.options import RenderOptions
    from renderers.video.formats import Format

FrameRate = Annotated[
    Rate,
    BeforeValidator(lambda value: None if value is None else parse_rate(value)),
    PlainSerializer(write_rate, when_used="json"),
    Written("RATE", "60"),
]
FILE, WHERE = "The file", "Where it is rendered"
WRITTEN_ANYWAY = ("batch", "run", "label")  # A composition shows these in any case.


class FilmLook(CompositionOptions):
    """How a film looks and which file it is, whatever its pictures are made of.

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
    devices: Commas = option(
        (),
        "Such as cuda:0,cuda:1; all GPUs that are there by default. auto takes those that nobody "
        "works on, and waits for one where there is none.",
        section=WHERE,
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

    def passes(self) -> dict[str, Any]:
        """How forward passes are made: `precision` and `compile`; the usual way if empty."""
        return {}

    @property
    def is_local(self) -> bool:
        """Whether this machine renders it."""
        return True

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
            **self.passes(),
            composition=composition,
            format=form,
            encoder=choose_encoder(self.encoder, form.part_codec, cards, self.is_local),
            preset=self.preset,
            crf=self.crf,
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
