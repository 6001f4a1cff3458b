"""What a person may wish for in a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from renderers.plan.options import RenderOptions
from studio.runs.selection import Missing


@dataclass(frozen=True)
class Rendering:
    """How and where any film is rendered.

    Args:
        devices: such as `cuda:0`; all GPUs there are by default, else the processor.
        engine: `local`, or `ray` for several machines.
        address: of the Ray cluster; `auto` joins the one that runs here.
        out: FILE; a place in the workspace's renders by default.
    """

    options: RenderOptions = field(default_factory=RenderOptions)
    devices: Sequence[str] = ()
    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    out: Path | None = None


@dataclass(frozen=True)
class Timelapse:
    """Which checkpoints a time-lapse shows, and for how long.

    Args:
        points: labels, seeds or JPEGs; the run's fixed points where there are none.
        batches: see `studio.runs.selection.choose_batches`.
        last: only so many of the last checkpoints; all if None.
        missing: what becomes of batches without a checkpoint.
        pace: `batch` shows every checkpoint for one frame, `perceptual` the same visible change
            from each frame to the next.
        duration_s: of the film; as the pace has it if None.
        skip_damaged: leave out checkpoints that cannot be read, rather than refuse.
    """

    points: Sequence[str] = ()
    batches: str = ""
    last: int | None = None
    missing: Missing = "refuse"
    pace: Literal["batch", "perceptual"] = "batch"
    duration_s: float | None = None
    skip_damaged: bool = False


@dataclass(frozen=True)
class Interpolation:
    """How a latent point moves, at one checkpoint or along training.

    Args:
        points: labels, seeds or JPEGs to visit, one or two of a circle; a noise walk needs none.
        batch: the checkpoint; the last one by default.
        batches: go along these instead of staying at one;
            see `studio.runs.selection.choose_batches`.
        seconds: of the whole film, or
        seconds_per_leg: from stop to stop.
        kind: of `latent.routes.KINDS`, `circle` or `noise`.
        easing: see `latent.easing.time_frames`.
        loop: come back to the first.
        seed: of a circle's plane, or of a noise walk.
    """

    points: Sequence[str] = ()
    batch: int | None = None
    batches: str | None = None
    seconds: float | None = None
    seconds_per_leg: float | None = None
    kind: str = "slerp"
    easing: str = "linear"
    loop: bool = False
    seed: int = 0


@dataclass(frozen=True)
class KeyFramed:
    """A path such as `12000@16500.28 -> 19000@18218.3`, on which batch and point move together."""

    keys: str
    seconds: float = 10.0
    kind: str = "slerp"
    easing: str = "linear"
