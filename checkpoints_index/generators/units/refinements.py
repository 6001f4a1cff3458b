"""Layers that are added to their input, and begin as the identity: what makes a network deeper."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2


class LeakyRefinement(nn.Module):
    """A 3x3 convolution and a leaky ReLU, which are added to their input.

    It begins as the identity, with weights of 0. The slope of the leaky ReLU at 0 is not, so that
    it learns from the first batch on.

    Args:
        channels: channels before and behind it.
        slope: of the leaky ReLU below 0.
    """

    def __init__(self, channels: int, slope: float = SLOPE) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, H, W] -> the same shape."""
        return x + F.leaky_relu(F.conv2d(x, self.weight, self.bias, padding=1), self.slope)


class DenseRefinement(nn.Module):
    """A dense layer and a leaky ReLU, which are added to their input; see `LeakyRefinement`.

    Args:
        channels: numbers before and behind it.
        slope: of the leaky ReLU below 0.
    """

    def __init__(self, channels: int, slope: float = SLOPE) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels] -> the same shape."""
        return x + F.leaky_relu(F.linear(x, self.weight, self.bias), self.slope)
