"""Generators of the DCGAN family (Radford et al. 2016)."""

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
UPSAMPLINGS = ("nearest", "transposed")
MAX_PALETTE = 256
MAX_REFINEMENTS = 64
NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")


class DCGANGenerator(nn.Module):
    """A dense 4x4 stem, then blocks of doubling, batch norm and ReLU up to the picture.

    At width 1 and 64 px these are the 512, 256, 128 and 64 channels of the well-known reference
    code; larger pictures add blocks in front, never wider than `max_channels`.

    Args:
        z_dim: length of a latent point.
        image_size: width and height of a picture in px, a power of two from 32 to 1024.
        width: multiplies the channels of every layer.
        max_channels: the most channels a layer has at width 1.
        upsampling: "nearest" repeats pixels and convolves 3x3, which leaves no checkerboard
            (Odena et al. 2016); "transposed" is the 4x4 transposed convolution of the paper.
        full_resolution_block: convolve once more at the size of the picture before the colours;
            sharper, and slower.
        palette: so many learned colours are mixed for each pixel, see `PaletteColors`; 0: each
            pixel has a colour of its own.
        channels: the channels of each layer from 4x4 up, instead of those that `width` gives.
        refinements: for each of these layers, how many `Refinement`s follow it.

    Raises:
        CheckpointError: a size or an upsampling that is not among the above, a width of nothing, or
            a palette of one colour.
    """

    def __init__(
        self,
        z_dim: int = 100,
        image_size: int = 64,
        width: float = 1.0,
        max_channels: int = 512,
        upsampling: str = "nearest",
        full_resolution_block: bool = False,
        palette: int = 0,
        channels: Sequence[int] = (),
        refinements: Sequence[int] = (),
    ) -> None:
        super().__init__()
        check_options(z_dim, image_size, width, upsampling, palette)
        usual = usual_channels(image_size, width, max_channels, full_resolution_block)
        channels = check_counts("dcgan", "channels", channels, len(usual), least=1) or usual
        depths = check_counts("dcgan", "refinements", refinements, len(usual), most=MAX_REFINEMENTS)
        depths = depths or [0] * len(usual)
        self.stem = nn.Linear(z_dim, channels[0] * 4 * 4, bias=False)
        self.stem_norm = nn.BatchNorm2d(channels[0])
        self.stem_refinements = refine(channels[0], depths[0]) if depths[0] else None
        self.blocks = nn.Sequential(
            *(
                block(before, after, upsampling).extend(refine(after, depth))
                for (before, after), depth in zip(pairwise(channels), depths[1:], strict=True)
            )
        )
        last = palette or 3
        self.to_rgb: nn.Module = (
            nn.Conv2d(channels[-1], last, 3, padding=1)
            if full_resolution_block
            else upsampling_convolution(channels[-1], last, upsampling, bias=True)
        )
        self.colors = PaletteColors(palette) if palette else None
        self.apply(initialise)
        if self.colors is not None:
            nn.init.kaiming_normal_(self.to_rgb.get_parameter("weight"), nonlinearity="relu")

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, image_size, image_size] in -1..1."""
        x = torch.unflatten(self.stem(z), 1, (-1, 4, 4))  # [NC44]
        x = F.relu(self.stem_norm(x))
        x = x if self.stem_refinements is None else self.stem_refinements(x)
        x = self.to_rgb(self.blocks(x))
        return torch.tanh(x) if self.colors is None else self.colors(x)

    @staticmethod
    def hidden_layers(options: Mapping[str, Any]) -> list[HiddenLayer]:
        """The channels behind each batch norm; borders keep constant ones from being summed up."""
        counts = channels_of(options)
        depths = options.get("refinements") or [0] * len(counts)
        layers = []
        for level, (units, depth) in enumerate(zip(counts, depths, strict=True)):
            block = f"blocks.{level - 1}"
            makes, norm = (f"{block}.0", f"{block}.1") if level else ("stem", "stem_norm")
            own = [TensorAxis(f"{makes}.weight", 1) if level else TensorAxis("stem.weight", 0, 16)]
            own += [TensorAxis(f"{norm}.{name}", 0) for name in NORM_TENSORS]
            refined = [
                f"{block}.{3 + i}" if level else f"stem_refinements.{i}" for i in range(depth)
            ]
            own += [TensorAxis(f"{name}.{t}", 0) for name in refined for t in ("weight", "bias")]
            is_last = level == len(counts) - 1
            reader = "to_rgb" if is_last else f"blocks.{level}"
            plain = is_last and options.get("full_resolution_block", False)
            read = [TensorAxis(f"{name}.weight", 1) for name in refined]
            read += [TensorAxis("to_rgb.weight" if is_last else f"{reader}.0.weight", int(plain))]
            layers.append(
                HiddenLayer(
                    block if level else "stem", units, (*own,), (*read,), (*refined, reader)
                )
            )
        return layers

    @staticmethod
    def resize(options: Mapping[str, Any], units: Mapping[str, int]) -> dict[str, Any]:
        """The same network with so many channels in each of its layers."""
        names = [layer.name for layer in DCGANGenerator.hidden_layers(options)]
        return {**options, "channels": [units[name] for name in names]}

    @staticmethod
    def deepen(options: Mapping[str, Any], layer: str) -> dict[str, Any]:
        """The same network with a `Refinement` more behind a layer."""
        names = [layer.name for layer in DCGANGenerator.hidden_layers(options)]
        depths = options.get("refinements") or [0] * len(names)
        deeper = [depth + (name == layer) for name, depth in zip(names, depths, strict=True)]
        return {**options, "refinements": deeper}


def channels_of(options: Mapping[str, Any]) -> list[int]:
    """The channels of each layer of a dcgan from 4x4 up."""
    named = options.get("channels")
    defaults = {"image_size": 64, "width": 1.0, "max_channels": 512, "full_resolution_block": False}
    usual = {name: options.get(name, default) for name, default in defaults.items()}
    return [*named] if named else usual_channels(**usual)


def usual_channels(
    image_size: int, width: float, max_channels: int, full_resolution_block: bool
) -> list[int]:
    """The channels that a width gives, from 4x4 up to the picture.

    Example:
        >>> usual_channels(64, 0.25, 512, False)
        [128, 64, 32, 16]
    """
    doublings = int(math.log2(image_size)) - 2
    return [
        max(1, round(width * min(max_channels, 2**level * 64)))
        for level in reversed(range(-1 if full_resolution_block else 0, doublings))
    ]


class Refinement(nn.Module):
    """A 3x3 convolution that is added to its input, before a ReLU.

    It begins as the identity: the weights are 0, and behind a ReLU nothing is below 0. Unlike
    batch norm, which it does without, it stays so in training until it has learned something.

    Args:
        channels: channels before and behind it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, H, W], not below 0 -> the same shape, not below 0."""
        return F.relu(x + F.conv2d(x, self.weight, self.bias, padding=1))


def refine(channels: int, count: int) -> nn.Sequential:
    """Some refinements, one after another: float [N, channels, H, W] -> the same shape."""
    return nn.Sequential(*(Refinement(channels) for _ in range(count)))


class PaletteColors(nn.Module):
    """Mixes each pixel of a few learned colours, in proportions that are a softmax.

    Areas of one colour are then the easiest to draw, and edges between two are sharp, as in maps,
    drawings and pixel art; a network of few channels draws them without streaks.

    Args:
        count: how many colours there are.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.palette = nn.Parameter(torch.randn(3, count, 1, 1) * 0.7)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the colours, float [N, count, H, W] -> float [N, 3, H, W] in -1..1."""
        return F.conv2d(x.softmax(dim=1), torch.tanh(self.palette))  # [N3HW]


class NearestUpsamplingConvolution(nn.Module):
    """Repeat each pixel 2x2, then convolve 3x3, computed as one transposed convolution.

    Repeating and convolving is linear, so the nine taps fold into a 4x4 kernel of stride 2
    (Karras et al. 2018, "fused scale"): the same picture for half the multiplications.

    Args:
        in_channels, out_channels: channels before and behind it.
        bias: whether a learned number is added to each channel.
    """

    fold: Tensor

    def __init__(self, in_channels: int, out_channels: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        shifts = torch.tensor(
            [[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
        )  # the pixels that a tap falls on
        fold = torch.einsum("ij,kl->ikjl", shifts, shifts).reshape(9, 16)
        self.register_buffer("fold", fold, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, in_channels, H, W] -> float [N, out_channels, 2H, 2W]."""
        return F.conv_transpose2d(x, self._kernel(), self.bias, stride=2, padding=1)

    def _kernel(self) -> Tensor:
        """float [in_channels, out_channels, 4, 4], which lies in memory as the weight does."""
        w, shape = self.weight, self.weight.shape[:2]
        if w.is_contiguous():
            return (w.reshape(-1, 9) @ self.fold).view(*shape, 4, 4)
        channels_last = self.fold.t() @ w.permute(0, 2, 3, 1).flatten(1, 2)  # [I, 16, O]
        return torch.unflatten(channels_last, 1, (4, 4)).permute(0, 3, 1, 2)


def block(in_channels: int, out_channels: int, upsampling: str) -> nn.Sequential:
    """Doubling, batch norm and ReLU: [N, in_channels, H, W] -> [N, out_channels, 2H, 2W].

    Args:
        in_channels, out_channels: channels before and behind it.
        upsampling: one of UPSAMPLINGS.
    """
    return nn.Sequential(
        upsampling_convolution(in_channels, out_channels, upsampling, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def upsampling_convolution(
    in_channels: int, out_channels: int, upsampling: str, *, bias: bool
) -> nn.Module:
    """A convolution that doubles: [N, in_channels, H, W] -> [N, out_channels, 2H, 2W].

    Args:
        in_channels, out_channels: channels before and behind it.
        upsampling: one of UPSAMPLINGS.
        bias: whether a learned number is added to each channel.
    """
    if upsampling == "nearest":
        return NearestUpsamplingConvolution(in_channels, out_channels, bias)
    return nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=bias)


def initialise(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02), batch norm's gains from N(1, 0.02) (Radford et al. 2016)."""
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, NearestUpsamplingConvolution)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def check_options(z_dim: int, image_size: int, width: float, upsampling: str, palette: int) -> None:
    """Refuse what `DCGANGenerator` cannot be built with.

    Raises:
        CheckpointError: an option is out of range; the message says which.
    """
    if image_size not in SIZES:
        raise CheckpointError(
            f"The generator 'dcgan' makes pictures of {', '.join(map(str, SIZES))} px, "
            f"not {image_size}. Choose one of these as image_size."
        )
    if z_dim < 1 or width <= 0:
        raise CheckpointError(f"z_dim and width must be above 0, not {z_dim} and {width}.")
    if upsampling not in UPSAMPLINGS:
        raise CheckpointError(f"upsampling is one of {', '.join(UPSAMPLINGS)}, not '{upsampling}'.")
    if palette != 0 and not 2 <= palette <= MAX_PALETTE:
        raise CheckpointError(
            f"A palette has 2 to {MAX_PALETTE} colours, or 0 for any colour, not {palette}."
        )
