"""The pictures of checkpoints, made larger by a network before they become frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from renderers.frames.source import CheckpointSource
from renderers.upscaling.enlarger import lay_out_network, tile_px_on
from renderers.upscaling.tiles import enlarge_by_tiles


@dataclass(frozen=True)
class Enlargement:
    """How pictures are made larger.

    Args:
        times: how often the network is applied.
        crop: x, y, width and height of the part of each picture that is taken first; all if None.
        size_px: width and height to which the result is brought; None where it stays as it is.
    """

    times: int
    crop: tuple[int, int, int, int] | None = None
    size_px: tuple[int, int] | None = None


class EnlargedPictures(nn.Module):
    """A generator whose pictures are made larger.

    Args:
        G: in eval mode, whose weights may change in place later on.
        network: an `EnlargingNetwork` that is a module; copied.
    """

    def __init__(self, G: nn.Module, network: nn.Module, enlargement: Enlargement) -> None:
        super().__init__()
        self.G, self.network = G, lay_out_network(network)
        self._enlargement = enlargement
        self.eval()

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, height, width] in -1..1."""
        pictures: Tensor = self.G(z)
        if self._enlargement.crop is not None:
            x, y, width, height = self._enlargement.crop
            pictures = pictures[:, :, y : y + height, x : x + width]
        network: Any = self.network
        tile_px = tile_px_on([z.device.type])
        for _ in range(self._enlargement.times):
            enlarged = enlarge_by_tiles(network, (pictures + 1) / 2, tile_px)
            pictures = (enlarged * 2 - 1).clamp(-1, 1)
        size_px = self._enlargement.size_px
        if size_px is None or size_px == (pictures.shape[3], pictures.shape[2]):
            return pictures
        width, height = size_px
        return F.interpolate(pictures.float(), (height, width), mode="bicubic", antialias=True)


@dataclass(frozen=True, eq=False)
class EnlargedSource:
    """A `CheckpointSource` whose pictures are made larger.

    Attributes:
        source: gives the checkpoints.
        network: see `EnlargedPictures`.
    """

    source: CheckpointSource
    network: nn.Module
    enlargement: Enlargement

    def build(self) -> EnlargedPictures:
        """A generator with the network behind it."""
        return EnlargedPictures(self.source.build(), self.network, self.enlargement)

    def stream(
        self, batches: Sequence[int], device: str, into: Sequence[nn.Module] = ()
    ) -> Iterator[tuple[int, nn.Module]]:
        """As `CheckpointSource.stream`; checkpoints are streamed into the generators."""
        modules: Sequence[Any] = into or [self.build().to(device)]
        held = {module.G: module for module in modules}
        for batch, G in self.source.stream(batches, device, list(held)):
            yield batch, held[G]
