"""How far the pictures of a generator are from those it learns from, and from held-out ones."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from renderers.frames.frame_renderer import FrameRenderer
from studio.datasets.held_out import SplitDataset
from studio.training.scores.sliced_wasserstein import SlicedWasserstein, mean_distance

SCORED = 256  # Pictures whose distance to as many real ones is measured.
HELD_OUT = "swd_held_out"


class PictureDistance:
    """The sliced Wasserstein distances of pictures to training pictures and to held-out ones.

    Distances of different numbers of pictures cannot be compared, so both sides have as many.

    Args:
        data: the pictures.
        image_size: of larger pictures the middle is taken.

    Attributes:
        count: pictures on either side.
    """

    def __init__(self, data: SplitDataset, image_size: int) -> None:
        sides = {"swd": data.training}
        if len(data.held_out) > 1:
            sides[HELD_OUT] = data.held_out
        self.count = min(SCORED, *map(len, sides.values()))
        self._distances = {
            name: SlicedWasserstein(
                cut_middles(data, data.spread(positions, self.count), image_size)
            )
            for name, positions in sides.items()
        }

    def measure(self, G: nn.Module, z: Tensor) -> dict[str, float]:
        """The distances of G's pictures of `count` latent points, float32 [count, z_dim]."""
        pictures = FrameRenderer().render(G, z)
        return {name: mean_distance(of(pictures)) for name, of in self._distances.items()}


def cut_middles(data: SplitDataset, positions: np.ndarray, image_size: int) -> np.ndarray:
    """The middles of some pictures of a dataset: uint8 [N, image_size, image_size, 3]."""
    margin = (data.pixels.shape[1] - image_size) // 2
    cut = slice(margin, margin + image_size)
    return np.asarray(data.pixels[positions])[:, cut, cut]
