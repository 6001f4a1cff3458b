"""The network of this model, in plain PyTorch: a generator of the DCGAN family (Radford 2016)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainDCGAN(nn.Module):
    """A dense 4x4 stem, then blocks of doubling, batch norm and ReLU up to the picture.

    Args:
        z_dim: length of a latent point.
        channels: of the stem, and behind each block.
        upsampling: "nearest" repeats pixels and convolves 3x3; "transposed" is a 4x4 transposed
            convolution.
        full_resolution_block: whether the last layer keeps the size of its input.
        palette: how many learned colours are mixed; 0: each pixel has a colour of its own.
        refinements: for the stem and each block, how many `ReluDetail`s follow it.
    """

    def __init__(
        self,
        z_dim: int,
        channels: list[int],
        upsampling: str,
        full_resolution_block: bool,
        palette: int,
        refinements: list[int],
    ) -> None:
        super().__init__()
        depths = refinements
        self.stem = nn.Linear(z_dim, channels[0] * 4 * 4, bias=False)
        self.stem_norm = nn.BatchNorm2d(channels[0])
        self.stem_refinements = details(channels[0], depths[0]) if depths[0] else None
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    doubling(before, after, upsampling, bias=False),
                    nn.BatchNorm2d(after),
                    nn.ReLU(),
                    *details(after, depth),
                )
                for (before, after), depth in zip(pairwise(channels), depths[1:], strict=True)
            )
        )
        last = palette or 3
        self.to_rgb: nn.Module = (
            nn.Conv2d(channels[-1], last, 3, padding=1)
            if full_resolution_block
            else doubling(channels[-1], last, upsampling, bias=True)
        )
        self.colors = MixedColors(palette) if palette else None

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, height, width] in -1..1."""
        x = self.stem(z).unflatten(1, (-1, 4, 4))
        x = F.relu(self.stem_norm(x))
        x = x if self.stem_refinements is None else self.stem_refinements(x)
        x = self.to_rgb(self.blocks(x))
        return torch.tanh(x) if self.colors is None else self.colors(x)


class ReluDetail(nn.Module):
    """A 3x3 convolution that is added to its input, before a ReLU.

    Args:
        channels: channels before and behind it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, H, W] -> the same shape."""
        return F.relu(x + F.conv2d(x, self.weight, self.bias, padding=1))


def details(channels: int, count: int) -> nn.Sequential:
    """Some of them, one after another: float [N, channels, H, W] -> the same shape."""
    return nn.Sequential(*(ReluDetail(channels) for _ in range(count)))


class RepeatAndConvolve(nn.Module):
    """Repeats each pixel 2x2, then convolves 3x3, computed as one 4x4 transposed convolution.

    Args:
        in_channels, out_channels: channels before and behind it.
        bias: whether a learned number is added to each channel.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(in_channels, out_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in_channels, H, W] -> float [N, out_channels, 2H, 2W]."""
        shifts = ((0, 1, 0, 1), (0, 1, 1, 0), (1, 0, 0, 1), (1, 0, 1, 0))
        kernel = torch.stack([F.pad(self.weight, shift) for shift in shifts]).sum(0)
        return F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)


class MixedColors(nn.Module):
    """Mixes each pixel of a few learned colours, in proportions that are a softmax.

    Args:
        count: how many colours there are.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.palette = nn.Parameter(torch.zeros(3, count, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Float [N, count, H, W] -> float [N, 3, H, W] in -1..1."""
        return F.conv2d(x.softmax(dim=1), torch.tanh(self.palette))


def doubling(in_channels: int, out_channels: int, upsampling: str, bias: bool) -> nn.Module:
    """A convolution that doubles: [N, in_channels, H, W] -> [N, out_channels, 2H, 2W].

    Args:
        in_channels, out_channels: channels before and behind it.
        upsampling: "nearest" or "transposed".
        bias: whether a learned number is added to each channel.
    """
    if upsampling == "nearest":
        return RepeatAndConvolve(in_channels, out_channels, bias)
    return nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=bias)


def build_network(described: dict[str, Any]) -> nn.Module:
    """The generator without its weights, from "network" in config.json."""
    return PlainDCGAN(**described)
