"""Residual discriminators without any normalisation, after R3GAN (Huang et al. 2024)."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from checkpoints_index.generators.residual import (
    EXPANSION,
    check_options,
    initialise,
    projection,
    residual_blocks,
    stage_channels,
)
from studio.training.discriminators.stored_names import keep_stored_names


class ResidualDiscriminator(nn.Module):
    """The residual generator backwards: blocks and halvings down to 4x4, then a learned basis.

    Args:
        image_size: width and height of a picture in px, a power of two from 32 to 1024.
        width, max_channels, blocks, group_width: as in `ResidualGenerator`.

    Raises:
        StudioError: another image_size, or an option out of range.
    """

    def __init__(
        self,
        image_size: int = 64,
        width: float = 1.0,
        max_channels: int = 512,
        blocks: int = 2,
        group_width: int = 16,
    ) -> None:
        super().__init__()
        check_options(image_size, width, blocks, group_width)
        channels = stage_channels(image_size, width, max_channels, group_width)
        inner = [[EXPANSION * each] * blocks for each in channels]
        self.from_rgb = nn.Conv2d(3, channels[0], 1, bias=False)
        self.stages = nn.Sequential(
            residual_blocks(channels[0], inner[0], group_width),
            *(
                nn.Sequential(Halving(before, after), residual_blocks(after, each, group_width))
                for (before, after), each in zip(pairwise(channels), inner[1:], strict=True)
            ),
        )
        self.basis = nn.Conv2d(channels[-1], channels[-1], 4, groups=channels[-1], bias=False)
        self.to_logit = nn.Linear(channels[-1], 1, bias=False)
        initialise(self)
        keep_stored_names(self)

    def forward(self, pictures: Tensor) -> Tensor:
        """float [N, 3, S, S] in about -1..1 -> logits, float [N]: high where it looks real."""
        x = self.stages(self.from_rgb(pictures))  # [NC44]
        logits: Tensor = self.to_logit(self.basis(x).flatten(1))
        return logits.flatten()


class Halving(nn.Module):
    """Halves the size bilinearly, which is the mean of 2x2 pixels, and changes the channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = projection(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in_channels, H, W] -> float [N, out_channels, H/2, W/2]."""
        halved: Tensor = self.project(F.avg_pool2d(x, 2))
        return halved
