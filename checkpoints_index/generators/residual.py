"""Residual generators without any normalisation, after R3GAN (Huang et al. 2024)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checkpoints_index.errors import CheckpointError

SIZES = (32, 64, 128, 256, 512, 1024)
SLOPE = 0.2  # The leaky ReLU multiplies what is below zero by this.
EXPANSION = 2  # A block has so many times the channels inside.


class ResidualGenerator(nn.Module):
    """A learned 4x4 basis, then residual blocks and bilinear doublings up to the picture.

    Nothing depends on the other pictures of a batch, so passes and processes may share it out.

    Args:
        z_dim: length of a latent point.
        image_size: width and height of a picture in px, a power of two from 32 to 1024.
        width: multiplies the channels of every layer: 64 at the size of the picture, twice as
            many at each size below. The paper's 96 to 768 are those of width 1.5.
        max_channels: the most channels a layer has at width 1.
        blocks: residual blocks at each size.
        group_width: channels that a 3x3 convolution sees; 0: all of them. With the paper's 16 a
            CPU takes half the time, for a fifth of the weights, at width 0.25 and 64 px.

    Raises:
        CheckpointError: a size that is not among the above, or an option out of range.
    """

    def __init__(
        self,
        z_dim: int = 100,
        image_size: int = 64,
        width: float = 1.0,
        max_channels: int = 512,
        blocks: int = 2,
        group_width: int = 16,
    ) -> None:
        super().__init__()
        check_options(image_size, width, blocks, group_width)
        if z_dim < 1:
            raise CheckpointError(f"z_dim must be above 0, not {z_dim}.")
        channels = stage_channels(image_size, width, max_channels, group_width)[::-1]
        self.basis = nn.Parameter(torch.randn(channels[0], 4, 4))
        self.amounts = nn.Linear(z_dim, channels[0], bias=False)
        self.stages = nn.Sequential(
            residual_blocks(channels[0], blocks, group_width),
            *(
                nn.Sequential(Doubling(before, after), residual_blocks(after, blocks, group_width))
                for before, after in pairwise(channels)
            ),
        )
        self.to_rgb = nn.Conv2d(channels[-1], 3, 1)
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, image_size, image_size].

        In -1..1 by clamping in eval mode. While training nothing bounds it but D: a tanh would
        hardly let go of a white street that ought to be black.
        """
        x = self.amounts(z)[:, :, None, None] * self.basis  # [NC44]
        pictures: Tensor = self.to_rgb(self.stages(x))
        return pictures if self.training else pictures.clamp(-1, 1)


class ResidualBlock(nn.Module):
    """An inverted bottleneck: wider, a 3x3 convolution in groups, narrower, added to its input.

    Args:
        channels: channels of the input and the output.
        group_width: channels that the 3x3 convolution sees; 0: all of them.
    """

    def __init__(self, channels: int, group_width: int) -> None:
        super().__init__()
        wide = EXPANSION * channels
        groups = wide // group_width if group_width else 1
        self.widen = nn.Conv2d(channels, wide, 1)
        self.mix = nn.Conv2d(wide, wide, 3, padding=1, groups=groups)
        self.narrow = nn.Conv2d(wide, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, H, W] -> the same shape."""
        y: Tensor = F.leaky_relu(self.widen(x), SLOPE)
        y = self.narrow(F.leaky_relu(self.mix(y), SLOPE))
        return x + y


class Doubling(nn.Module):
    """A projection to other channels, then bilinear doubling; this order is the cheaper one.

    Args:
        in_channels, out_channels: channels before and behind it.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = projection(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in_channels, H, W] -> float [N, out_channels, 2H, 2W]."""
        return F.interpolate(self.project(x), scale_factor=2, mode="bilinear")


def stage_channels(image_size: int, width: float, max_channels: int, group_width: int) -> list[int]:
    """Channels at each size from the picture's down to 4x4, rounded so that groups are whole.

    Args:
        image_size, width, max_channels, group_width: as in `ResidualGenerator`.

    Example:
        >>> stage_channels(64, 0.25, 512, 16)
        [16, 32, 64, 128, 128]
    """
    step = max(1, group_width // EXPANSION)
    exact = (width * min(max_channels, 64 * 2**k) for k in range(int(math.log2(image_size)) - 1))
    return [step * max(1, round(channels / step)) for channels in exact]


def residual_blocks(channels: int, count: int, group_width: int) -> nn.Sequential:
    """Some blocks, one after another: float [N, channels, H, W] -> the same shape."""
    return nn.Sequential(*(ResidualBlock(channels, group_width) for _ in range(count)))


def projection(in_channels: int, out_channels: int) -> nn.Module:
    """A 1x1 convolution without bias; the identity where the channels stay the same."""
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Conv2d(in_channels, out_channels, 1, bias=False)


def initialise(network: nn.Module) -> None:
    """Draw weights that keep a signal's size through any depth without normalisation.

    They are those of He et al. 2015. In L residual blocks of three layers, Fixup (Zhang et al.
    2019) makes the first two layers L^(-1/4) smaller and the last one zero, so that every block
    begins as the identity.

    Args:
        network: its convolutions, dense layers and `ResidualBlock`s are initialised.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    gain = nn.init.calculate_gain("leaky_relu", SLOPE) * len(blocks) ** -0.25
    for block in blocks:
        block.widen.weight.data.mul_(gain)
        block.mix.weight.data.mul_(gain)
        nn.init.zeros_(block.narrow.weight)


def check_options(image_size: int, width: float, blocks: int, group_width: int) -> None:
    """Refuse what residual networks cannot be built with.

    Raises:
        CheckpointError: an option is out of range; the message says which.
    """
    if image_size not in SIZES:
        raise CheckpointError(
            f"The residual networks are for pictures of {', '.join(map(str, SIZES))} px, "
            f"not {image_size}. Choose one of these as image_size."
        )
    if width <= 0 or blocks < 1:
        raise CheckpointError(f"width and blocks must be above 0, not {width:g} and {blocks}.")
    if group_width < 0 or group_width % EXPANSION:
        raise CheckpointError(f"group_width is an even number, or 0 for all, not {group_width}.")
