"""Batches of real pictures, drawn from prepared pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latent.errors import UserError


class Batches(Iterator[Tensor]):
    """Draws batches without end: float [N, 3, S, S] in -1..1 on the device, channels last.

    What comes next depends on the state of `rng` alone, so saving that is saving the position.

    Args:
        pixels: uint8 [count, S, S, 3], memory-mapped or not.
        batch_size: N.
        seed: of the draws.
        random_flips: mirror half of the pictures, left to right.
        device: where the batches go.

    Raises:
        UserError: the pixels are not pictures of image_size, or there are none.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        image_size: int,
        batch_size: int,
        seed: int,
        random_flips: bool,
        device: torch.device,
    ) -> None:
        check_pixels(pixels, image_size)
        self.pixels, self.batch_size = pixels, batch_size
        self.random_flips, self.device = random_flips, device
        self.rng = np.random.default_rng(seed)

    def __next__(self) -> Tensor:
        chosen = np.sort(self.rng.integers(len(self.pixels), size=self.batch_size))
        flipped = self.rng.random(self.batch_size) < 0.5
        pictures = torch.from_numpy(np.asarray(self.pixels[chosen])).to(self.device)  # [NHWC]
        pictures = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
        if self.random_flips:
            mirror = torch.from_numpy(flipped).to(self.device).view(-1, 1, 1, 1)
            pictures = torch.where(mirror, pictures.flip(3), pictures)
        return pictures.contiguous(memory_format=torch.channels_last)

    @property
    def state(self) -> dict[str, Any]:
        """Where the draws stand, as JSON can hold it."""
        return dict(self.rng.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self.rng.bit_generator.state = state


def check_pixels(pixels: np.ndarray, image_size: int) -> None:
    expected = (image_size, image_size, 3)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != expected or len(pixels) == 0:
        raise UserError(
            f"The dataset holds {pixels.dtype} {list(pixels.shape)}, but this run trains on "
            f"uint8 [count, {image_size}, {image_size}, 3]. Prepare the dataset with "
            f"--image-size {image_size}, or set image_size."
        )
