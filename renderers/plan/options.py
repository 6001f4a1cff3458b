"""How a film looks, and which videos are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from renderers.errors import RenderError
from renderers.pictures.display_options import DisplayOptions
from renderers.video.encoders import VideoEncoder
from renderers.video.formats import Format

OVERLAYS = ("batch", "run", "label", "curve", "events")
PRECISIONS = ("float32", "bf16")
MAX_THREADS = 8


@dataclass(frozen=True)
class RenderOptions:
    """How frames look and which videos are made.

    Args:
        fps: frames per second.
        look: crop, size and scaling.
        overlay: what is drawn over the pictures, of OVERLAYS.
        points: one video a track.
        grid: one video of all tracks.
        columns: of the grid; the squarest if None.
        format: of the files.
        encoder, preset, crf: see `renderers.video.encoders.Encoder`;
            None for what suits the format.
        precision: of the forward pass. `bf16` is used where frames stay within a level.
        compile: forward passes by `torch.compile`, where frames stay within a level.
        part_frames: the most frames in a part, which is what a killed render can lose.

    Raises:
        RenderError: a value is out of its range.
    """

    fps: int = 60
    look: DisplayOptions = field(default_factory=DisplayOptions)
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
    part_frames: int = 250

    def __post_init__(self) -> None:
        if not (self.points or self.grid):
            raise RenderError("Nothing to render: ask for a video a point, a grid, or both.")
        _require_range("fps", self.fps, 1, 240)
        _require_range("columns", self.columns, 1, 10_000)
        _require_range("part_frames", self.part_frames, 1, 1_000_000)
        _require_known("overlay", self.overlay, OVERLAYS)
        _require_known("precision", [self.precision], PRECISIONS)
        self.encoder_of(1)

    def encoder_of(self, videos: int) -> VideoEncoder:
        """The encoder when so many are written at once: threads by the plan, not the machine.

        The number of threads shows in the encoded bytes, and a render that goes on elsewhere
        should give the same.
        """
        threads = max(1, MAX_THREADS // videos)
        return self.format.encoder(self.encoder, self.preset, self.crf, threads)

    def shown(self) -> dict[str, Any]:
        """All that shows in a frame, as JSON."""
        document = asdict(self)
        del document["part_frames"]
        if not self.compile:  # as before there was this choice
            del document["compile"]
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> RenderOptions:
        look, form = DisplayOptions(**document["look"]), Format(**document["format"])
        options = cls(**{**document, "look": look, "format": form})
        return replace(options, overlay=tuple(options.overlay))


def _require_range(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise RenderError(f"{name} {value} is out of range: use {low} to {high}.")


def _require_known(name: str, values: Iterable[str], known: Sequence[str]) -> None:
    for value in values:
        if value not in known:
            raise RenderError(f"There is no {name} '{value}'. Known: {', '.join(known)}.")
