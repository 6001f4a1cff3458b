"""Small real generators and sources of them; worker processes import them from here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from latent.points import LatentPoint, seeded_point
from renderers.frames.devices import require_devices
from renderers.frames.source import CheckpointSource
from renderers.jobs.rendering import render_film
from renderers.jobs.workers import render_parts
from renderers.pictures.display_options import DisplayOptions
from renderers.plan.options import RenderOptions
from renderers.plan.outputs import Video
from renderers.plan.render_plan import make_plan
from renderers.progress import OnProgress, ignore_progress
from renderers.video.encoders import VideoEncoder
from renderers.video.ffmpeg import ffmpeg_command
from renderers.video.frame_encoding import NumberedFrame, encode_frames

Z_DIM = 8


class TinyGenerator(nn.Module):
    """z [N, 8] -> [N, 3, 16, 16], a linear layer and a transposed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(Z_DIM, 8 * 4 * 4)
        self.up = nn.ConvTranspose2d(8, 3, 4, stride=4)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.up(self.dense(z).view(-1, 8, 4, 4)))


class Flat(nn.Module):
    """Pictures of one colour: `colour` float [3] in -1..1, whatever z is."""

    def __init__(self, colour: Sequence[float], height: int = 16, width: int = 16) -> None:
        super().__init__()
        self.colour = nn.Parameter(torch.tensor(colour, dtype=torch.float32))
        self.size = height, width

    def forward(self, z: Tensor) -> Tensor:
        return self.colour.view(1, 3, 1, 1).expand(len(z), 3, *self.size)


def level_of(batch: int) -> int:
    """A grey that tells the batch, and far from those of the batches beside it."""
    return batch * 97 % 251


@dataclass(frozen=True)
class GreySource:
    """Checkpoints that show their batch as a grey."""

    height: int = 16
    width: int = 16

    def build(self) -> nn.Module:
        return Flat([0] * 3, self.height, self.width).eval()

    def stream(
        self, batches: Sequence[int], device: str, into: Sequence[nn.Module] = ()
    ) -> Iterator[tuple[int, nn.Module]]:
        for batch in batches:
            grey = level_of(batch) / 127.5 - 1
            yield batch, Flat([grey] * 3, self.height, self.width).eval().to(device)


class UnreadableSourceError(LookupError):
    """An error of a checkpoint source, which knows nothing of renderers."""

    def __init__(self, batch: int) -> None:
        super().__init__(batch)
        self.batch = batch

    def __str__(self) -> str:
        return f"checkpoint {self.batch} is damaged"


@dataclass(frozen=True)
class GrowingSource:
    """A generator whose weights move a little every batch.

    Every pass over checkpoints writes a line `first batch, number of batches` to `log`.
    """

    log: Path | None = None
    pause_s: float = 0
    damaged: int | None = None
    die_once: Path | None = None

    def build(self) -> nn.Module:
        torch.manual_seed(1)
        return TinyGenerator().eval()

    def stream(
        self, batches: Sequence[int], device: str, into: Sequence[nn.Module] = ()
    ) -> Iterator[tuple[int, nn.Module]]:
        if self.log:
            with self.log.open("a") as log:
                log.write(f"{batches[0]} {len(batches)}\n")
        start = self.build().dense.weight.detach().to(device)
        resident = into or [self.build().to(device)]
        direction = torch.randn(start.shape).to(device)
        for i, batch in enumerate(batches):
            if batch == self.damaged:
                raise UnreadableSourceError(batch)
            if self.die_once and i == 3:
                self._die()
            G = resident[i % len(resident)]
            G.dense.weight.data.copy_(start + batch / 20 * direction)
            time.sleep(self.pause_s)
            yield batch, G

    def _die(self) -> None:
        """Kill this process with SIGKILL, the first time that it comes here."""
        assert self.die_once
        try:
            self.die_once.touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def number_frames(pictures: Iterable[np.ndarray], first: int = 0) -> Iterator[NumberedFrame]:
    """Pictures as the frames of a film, each showing the batch of its position."""
    return (NumberedFrame(i, i, picture) for i, picture in enumerate(pictures, first))


def write_film(
    path: Path, frames, display: DisplayOptions | None = None, encoder=None, fps: int = 24
) -> Path:
    """A film of pictures, each uint8 [height, width, 3]."""
    display = display or DisplayOptions(scale=1)
    encode_frames(number_frames(frames), path, fps, display, None, encoder or VideoEncoder())
    return path


def frame_times(path: Path) -> np.ndarray:
    """When each frame of a film is shown, in seconds."""
    command = ffmpeg_command("-i", f"file:{path}", "-c", "copy", "-f", "framecrc", "-")
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    base = next(line.split()[-1] for line in lines if line.startswith("#tb"))
    over, under = map(int, base.split("/"))
    stamps = [int(line.split(",")[2]) for line in lines if not line.startswith("#")]
    return np.array(stamps) * over / under


def flat(colours, height: int = 32, width: int = 32) -> list[np.ndarray]:
    """A picture of each colour."""
    return [np.full((height, width, 3), colour, np.uint8) for colour in colours]


def greys(count: int, start: int = 0) -> list[np.ndarray]:
    """Pictures that become lighter by one level each."""
    return flat(range(start, start + count))


def two_points() -> list[LatentPoint]:
    return [seeded_point(1, Z_DIM), seeded_point(2, Z_DIM)]


SHORT_PARTS = RenderOptions(fps=30, grid=True, part_frames=20, display=DisplayOptions(scale=2))


def render_tiny(
    root: Path,
    source: CheckpointSource,
    batches: Sequence[int] = range(100),
    options: RenderOptions = SHORT_PARTS,
    devices: Sequence[str] = ("cpu",),
    on_progress: OnProgress = ignore_progress,
    **plan: Any,
) -> list[Video]:
    """Film two points with the parts in root/render, and the videos beside it."""
    return render_film(
        source,
        make_plan(two_points(), batches, options, **plan),
        root / "render",
        root / "film.mp4",
        partial(render_parts, devices=require_devices(devices)),
        on_progress,
        overwrite=True,
    )


def main(folder: str, devices: str, pause_s: str) -> None:
    """Render 100 batches in a process that a test can kill."""
    root = Path(folder)
    source = GrowingSource(log=root / "passes.log", pause_s=float(pause_s))
    render_tiny(root, source, devices=devices.split(","))


if __name__ == "__main__":
    main(*sys.argv[1:])
