"""The network of this model, in plain PyTorch: a residual generator after R3GAN (Huang 2024)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # The leaky ReLU multiplies what is below zero by this.


class PlainResidual(nn.Module):
    """A learned 4x4 basis, then residual blocks and bilinear doublings up to the picture.

    Args:
        z_dim: length of a latent point.
        channels: at each size, from 4x4 to that of the picture.
        wide: at each size, the channels inside each of its residual blocks.
        group_width: channels that a 3x3 convolution sees; 0: all of them.
    """

    def __init__(
        self, z_dim: int, channels: list[int], wide: list[list[int]], group_width: int
    ) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.zeros(channels[0], 4, 4))
        self.amounts = nn.Linear(z_dim, channels[0], bias=False)
        self.stages = nn.Sequential(
            bottlenecks(channels[0], wide[0], group_width),
            *(
                nn.Sequential(
                    ProjectAndDouble(before, after), bottlenecks(after, each, group_width)
                )
                for (before, after), each in zip(pairwise(channels), wide[1:], strict=True)
            ),
        )
        self.to_rgb = nn.Conv2d(channels[-1], 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, height, width] in -1..1."""
        x = self.amounts(z)[:, :, None, None] * self.basis
        pictures: Tensor = self.to_rgb(self.stages(x))
        return pictures.clamp(-1, 1)


class Bottleneck(nn.Module):
    """Wider, a 3x3 convolution in groups, narrower, added to its input.

    Args:
        channels: channels of the input and the output.
        wide: channels inside.
        group_width: channels that the 3x3 convolution sees; 0: all of them.
    """

    def __init__(self, channels: int, wide: int, group_width: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(channels, wide, 1)
        groups = wide // group_width if group_width else 1
        self.mix = nn.Conv2d(wide, wide, 3, padding=1, groups=groups)
        self.narrow = nn.Conv2d(wide, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, H, W] -> the same shape."""
        y: Tensor = F.leaky_relu(self.widen(x), SLOPE)
        y = self.narrow(F.leaky_relu(self.mix(y), SLOPE))
        return x + y


class ProjectAndDouble(nn.Module):
    """A 1x1 convolution to other channels, then bilinear doubling.

    Args:
        in_channels, out_channels: channels before and behind it.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.project = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in_channels, H, W] -> float [N, out_channels, 2H, 2W]."""
        return F.interpolate(self.project(x), scale_factor=2, mode="bilinear")


def bottlenecks(channels: int, wide: list[int], group_width: int) -> nn.Sequential:
    """Some blocks, one after another: float [N, channels, H, W] -> the same shape."""
    return nn.Sequential(*(Bottleneck(channels, each, group_width) for each in wide))


def build_network(described: dict[str, Any]) -> nn.Module:
    """The generator without its weights, from "network" in config.json."""
    return PlainResidual(**described)
