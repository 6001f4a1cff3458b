"""The network of this model, in plain PyTorch: dense to a grid, then transposed convolutions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainSkyline(nn.Module):
    """Dense to a grid, five transposed convolutions of stride 2, no batch norm.

    Args:
        z_dim: length of a latent point.
        grid_size: width and height of the grid, a thirty-second of the picture's.
        channels: of the grid, and behind each transposed convolution.
        smooth: channels of the last one, which keeps the size.
        refinements: for each doubling, how many `LeakyDetail`s follow it.
    """

    def __init__(
        self,
        z_dim: int,
        grid_size: int,
        channels: list[int],
        smooth: int,
        refinements: list[int],
    ) -> None:
        super().__init__()
        self.grid_size = grid_size
        self.dense = nn.Linear(z_dim, channels[0] * grid_size**2)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.ConvTranspose2d(before, after, 4, stride=2, padding=1),
                    nn.LeakyReLU(0.2),
                    *(LeakyDetail(after) for _ in range(depth)),
                )
                for (before, after), depth in zip(pairwise(channels), refinements, strict=True)
            )
        )
        self.smooth = nn.ConvTranspose2d(channels[-1], smooth, 6)
        self.to_rgb = nn.Conv2d(smooth, 3, 6)

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, height, width] in -1..1."""
        x = self.dense(z).unflatten(1, (-1, self.grid_size, self.grid_size))
        x = self.blocks(F.leaky_relu(x, 0.2))
        return torch.tanh(self.to_rgb(F.leaky_relu(self.smooth(x), 0.2)))


class LeakyDetail(nn.Module):
    """A 3x3 convolution and a leaky ReLU, which are added to their input.

    Args:
        channels: channels before and behind it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, H, W] -> the same shape."""
        return x + F.leaky_relu(F.conv2d(x, self.weight, self.bias, padding=1), 0.2)


def build_network(described: dict[str, Any]) -> nn.Module:
    """The generator without its weights, from "network" in config.json."""
    return PlainSkyline(**described)
