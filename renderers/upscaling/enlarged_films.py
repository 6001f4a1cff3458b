"""The frames of films that are there already as the pictures of checkpoints, made larger.

A renderer is handed checkpoints and turns them into films that are cut into parts, resumed, shared
among devices and joined. Here frame k of a film stands where the checkpoint of batch k stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from renderers.upscaling.enlarger import lay_out_network, tile_px_on, to_network
from renderers.upscaling.tiles import enlarge_by_tiles
from renderers.video.film_reader import read_from


class FrameModule(nn.Module):
    """Stands where a generator stands: it gives the frame that it was shown, made larger.

    Args:
        network: an `EnlargingNetwork` that is a module; copied.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = lay_out_network(network)
        self._frame: Tensor | None = None
        self.eval()

    def show(self, frame: np.ndarray) -> None:
        """Take a frame, uint8 [h, w, 3], to the device of the network."""
        device = next(self.network.parameters()).device
        given = torch.from_numpy(np.array(frame))
        if self._frame is None or self._frame.shape != given.shape:
            self._frame = given.to(device)
        self._frame.copy_(given)

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim], which say nothing -> float [N, 3, h*scale, w*scale] in -1..1."""
        assert self._frame is not None, "a frame is shown first"
        network: Any = self.network
        tile_px = tile_px_on([self._frame.device.type])
        enlarged = enlarge_by_tiles(network, to_network(self._frame[None]), tile_px)
        return (enlarged * 2 - 1).clamp(-1, 1).expand(len(z), -1, -1, -1)


@dataclass(frozen=True, eq=False)
class EnlargedFilm:
    """A `CheckpointSource` whose checkpoint k is frame k of a film, made larger.

    Attributes:
        path: the film.
        network: see `FrameModule`.
    """

    path: Path
    network: nn.Module

    def build(self) -> FrameModule:
        """A module that frames can be shown to."""
        return FrameModule(self.network)

    def stream(
        self, batches: Sequence[int], device: str, into: Sequence[nn.Module] = ()
    ) -> Iterator[tuple[int, nn.Module]]:
        """Each frame of neighbouring ones, as `CheckpointSource.stream` gives checkpoints.

        Raises:
            RenderError: the film cannot be read.
        """
        modules: Sequence[Any] = into or [self.build().to(device)]
        first = batches[0]
        assert list(batches) == list(range(first, first + len(batches))), "frames are in a row"
        with closing(read_from(self.path, first, len(batches))) as frames:
            for number, frame in enumerate(frames):
                shown = modules[number % len(modules)]
                shown.show(frame)
                yield first + number, shown
