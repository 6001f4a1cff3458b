"""Pictures of a generator made small on its device, so that many of them can be held."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SmallPictures(nn.Module):
    """A generator whose pictures are averaged down to a size.

    Args:
        G: generator in eval mode, whose weights may change in place later on.
        size_px: width and height of what it gives; a picture that is smaller is enlarged.
    """

    def __init__(self, G: nn.Module, size_px: int) -> None:
        super().__init__()
        self.G, self.size_px = G, size_px
        self.eval()

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, size_px, size_px] in -1..1."""
        pictures: Tensor = self.G(z)
        if pictures.shape[-1] == self.size_px:
            return pictures
        size = (self.size_px, self.size_px)
        return F.interpolate(pictures.float(), size, mode="bilinear", antialias=True)
