"""Residual generators without any normalisation, after R3GAN (Huang et al. 2024)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.sizes import check_counts
from checkpoints_index.generators.units.hidden_layers import HiddenLayer, TensorAxis

SIZES = (32, 64, 128, 256, 512, 1024)
SLOPE = 0.2  # The leaky ReLU multiplies what is below zero by this.
MAX_BLOCKS = 64  # At one size.
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
        inner: for each size from 4x4 up, the channels inside each of its blocks, instead of twice
            those outside and of `blocks`.

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
        inner: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__()
        check_options(image_size, width, blocks, group_width)
        if z_dim < 1:
            raise CheckpointError(f"z_dim must be above 0, not {z_dim}.")
        channels = stage_channels(image_size, width, max_channels, group_width)[::-1]
        wide = check_inner(inner, len(channels), group_width) or [
            [EXPANSION * each] * blocks for each in channels
        ]
        self.basis = nn.Parameter(torch.randn(channels[0], 4, 4))
        self.amounts = nn.Linear(z_dim, channels[0], bias=False)
        self.stages = nn.Sequential(
            residual_blocks(channels[0], wide[0], group_width),
            *(
                nn.Sequential(Doubling(before, after), residual_blocks(after, each, group_width))
                for (before, after), each in zip(pairwise(channels), wide[1:], strict=True)
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

    @staticmethod
    def hidden_layers(options: Mapping[str, Any]) -> list[HiddenLayer]:
        """The inside of each block: its groups, of `group_width` channels that see each other.

        Raises:
            CheckpointError: there are no groups.
        """
        span = int(options.get("group_width", 16))
        if not span:
            raise CheckpointError(
                "The blocks of a residual generator with group_width 0 mix all of their channels, "
                "so none of them can be taken away or added by itself."
            )
        layers = []
        for stage, widths in enumerate(inner_of(options)):
            place = f"stages.{stage}" if stage == 0 else f"stages.{stage}.1"
            for number, wide in enumerate(widths):
                block = f"{place}.{number}"
                makes = ("widen.weight", "widen.bias", "mix.weight", "mix.bias")
                own = tuple(TensorAxis(f"{block}.{name}", 0, span) for name in makes)
                read = (TensorAxis(f"{block}.narrow.weight", 1, span),)
                reader = (f"{block}.narrow",)
                layers.append(HiddenLayer(block, wide // span, own, read, reader, span))
        return layers

    @staticmethod
    def resize(options: Mapping[str, Any], units: Mapping[str, int]) -> dict[str, Any]:
        """The same network with so many groups inside each of its blocks."""
        counts = iter(units[layer.name] for layer in ResidualGenerator.hidden_layers(options))
        span = int(options.get("group_width", 16))
        inner = [[span * next(counts) for _ in widths] for widths in inner_of(options)]
        return {**options, "inner": inner}

    @staticmethod
    def deepen(options: Mapping[str, Any], layer: str) -> dict[str, Any]:
        """The same network with a block more at the size of one of its blocks.

        A block begins as the identity, as all of them do.
        """
        stage, inner = int(layer.split(".")[1]), inner_of(options)
        channels = stage_channels(**sizes_of(options))[::-1]
        inner[stage] = [*inner[stage], EXPANSION * channels[stage]]
        return {**options, "inner": inner}


def sizes_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """What decides on the channels of a residual network, with its defaults."""
    usual = {"image_size": 64, "width": 1.0, "max_channels": 512, "group_width": 16}
    return {name: options.get(name, default) for name, default in usual.items()}


def inner_of(options: Mapping[str, Any]) -> list[list[int]]:
    """The channels inside each block of a residual generator, for each size from 4x4 up."""
    if options.get("inner"):
        return [[*widths] for widths in options["inner"]]
    channels = stage_channels(**sizes_of(options))[::-1]
    return [[EXPANSION * each] * options.get("blocks", 2) for each in channels]


def check_inner(inner: Sequence[Sequence[int]], stages: int, group_width: int) -> list[list[int]]:
    """The channels inside each block; empty where they are not given.

    Raises:
        CheckpointError: they are not those of so many sizes, or leave a group incomplete.
    """
    step = group_width or 1
    fits = len(inner) in (0, stages) and all(
        isinstance(widths, list | tuple) and 0 < len(widths) <= MAX_BLOCKS for widths in inner
    )
    if fits:
        counts = [check_counts("residual", "inner", each, len(each), least=1) for each in inner]
        fits = not any(wide % step for widths in counts for wide in widths)
    if not fits:
        raise CheckpointError(
            f"Generator 'residual' takes inner as {stages} lists of multiples of {step}, the "
            f"channels inside its blocks, not {inner!r:.60}."
        )
    return counts


class ResidualBlock(nn.Module):
    """An inverted bottleneck: wider, a 3x3 convolution in groups, narrower, added to its input.

    Args:
        channels: channels of the input and the output.
        wide: channels inside.
        group_width: channels that the 3x3 convolution sees; 0: all of them.
    """

    def __init__(self, channels: int, wide: int, group_width: int) -> None:
        super().__init__()
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


def residual_blocks(channels: int, inner: Sequence[int], group_width: int) -> nn.Sequential:
    """Blocks one after another, with the channels inside each: [N, channels, H, W] -> the same."""
    return nn.Sequential(*(ResidualBlock(channels, wide, group_width) for wide in inner))


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
