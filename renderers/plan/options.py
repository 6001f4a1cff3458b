"""The options of a film: which videos are made, in which format, and how they look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from renderers.compositions.composition import Composition
from renderers.errors import RenderError
from renderers.frames.layer_pictures import LayerView
from renderers.pictures.display_options import DisplayOptions
from renderers.pictures.scatter import ScatterView
from renderers.video.encoders import VideoEncoder
from renderers.video.formats import USUAL_RATE, Format
from renderers.video.rates import MAX_RATE, MIN_RATE, Rate, parse_rate, write_rate

OVERLAYS = ("batch", "run", "label", "curve", "events")
PRECISIONS = ("float32", "bf16")
MAX_THREADS = 8  # More threads of one encoder cost more quality than they save time.


@dataclass(frozen=True)
class RenderOptions:
    """How frames look and which videos are made.

    Args:
        fps: frames per second, 1..240, an exact fraction where it is not whole.
        display: crop, size and scaling.
        overlay: what is drawn over the pictures, from OVERLAYS.
        points: make one video for each track.
        grid: make one video of all tracks.
        columns: columns in the grid; the squarest grid if None.
        format: the kind of file.
        encoder, preset, crf: see `renderers.video.encoders.VideoEncoder`;
            None for what suits the format.
        precision: the arithmetic of the forward pass. `bf16` is used where frames stay within a
            level of 255.
        compile: use `torch.compile` for forward passes, where frames stay within a level of 255.
        threads: of each encoder, see `share_threads`; None in plans of earlier versions.
        part_frames: the most frames in a part, which is what a killed render can lose.
        layer: show the maps of a layer of the generator instead of pictures; None for pictures.
        scatter: lay the pictures of all tracks at places that move, instead of a grid.
        composition: lay pictures and texts out in a frame of one size; None for pictures alone.

    Raises:
        RenderError: a value is out of its range.
    """

    fps: Rate = USUAL_RATE
    display: DisplayOptions = field(default_factory=DisplayOptions)
    overlay: tuple[str, ...] = ()
    points: bool = True
    grid: bool = False
    columns: int | None = None
    format: Format = field(default_factory=Format)
    encoder: str | None = None
    preset: str | None = None
    crf: int | None = None
    precision: Literal["float32", "bf16"] = "float32"
    compile: bool = False
    threads: int | None = None
    part_frames: int = 250
    layer: LayerView | None = None
    scatter: ScatterView | None = None
    composition: Composition | None = None

    def __post_init__(self) -> None:
        if not (self.points or self.grid):
            raise RenderError("Nothing to render: ask for a video a point, a grid, or both.")
        _require_range("fps", self.fps, MIN_RATE, MAX_RATE)
        _require_range("threads", self.threads, 1, MAX_THREADS)
        _require_range("columns", self.columns, 1, 10_000)
        _require_range("part_frames", self.part_frames, 1, 1_000_000)
        _require_known("overlay", self.overlay, OVERLAYS)
        _require_known("precision", [self.precision], PRECISIONS)
        if self.composition and (self.display.size or self.display.scale or self.overlay):
            raise RenderError("A composition has its own size and texts: leave out others.")
        self.encoder_for(1)

    def encoder_for(self, videos: int) -> VideoEncoder:
        """The encoder to use when so many videos are written at once.

        The number of threads is the plan's, not that of the machine which goes on with it: it
        shows in the encoded bytes, which should be the same.

        Raises:
            RenderError: the encoder is unknown, or does not make the format.
        """
        threads = self.threads or share_threads(MAX_THREADS, videos)
        return self.format.encoder(self.encoder, self.preset, self.crf, threads)

    @property
    def second_frames(self) -> int:
        """Whole frames in about a second."""
        return round(self.fps)

    def to_json(self) -> dict[str, Any]:
        """The options as JSON; `display` is stored as `look`, as in plans of earlier versions."""
        document = asdict(self)
        document["look"] = document.pop("display")
        document["fps"] = write_rate(self.fps)
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> RenderOptions:
        """The options that `to_json` wrote.

        Raises:
            RenderError: a value is out of its range.
        """
        document = dict(document)
        display, form = DisplayOptions(**document.pop("look")), Format(**document["format"])
        layer = document.get("layer")
        document["layer"] = None if layer is None else LayerView.from_json(layer)
        scatter = document.get("scatter")
        document["scatter"] = None if scatter is None else ScatterView.from_json(scatter)
        composed = document.get("composition")
        document["composition"] = None if composed is None else Composition.from_json(composed)
        read = {"fps": parse_rate(document["fps"]), "display": display, "format": form}
        options = cls(**{**document, **read})
        return replace(options, overlay=tuple(options.overlay))

    def visible(self) -> dict[str, Any]:
        """All options that show in a frame, as JSON; equal ones give equal frames."""
        document = self.to_json()
        del document["part_frames"], document["threads"]
        if not self.compile:  # Plans made before there was this choice keep their digest.
            del document["compile"]
        for name in ("layer", "scatter", "composition"):
            if document[name] is None:
                del document[name]
        return document


def share_threads(cores: int, videos: int) -> int:
    """The number of threads of each encoder, where so many videos are written at once.

    Example:
        >>> share_threads(16, 6), share_threads(2, 6), share_threads(64, 1)
        (2, 1, 8)
    """
    return min(MAX_THREADS, max(1, cores // videos))


def _require_range(name: str, value: Rate | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise RenderError(f"{name} {value} is out of range: use {low} to {high}.")


def _require_known(name: str, values: Iterable[str], known: Sequence[str]) -> None:
    for value in values:
        if value not in known:
            raise RenderError(f"There is no {name} '{value}'. Known: {', '.join(known)}.")
