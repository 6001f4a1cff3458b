"""The generator of the original city project: 117.5 M parameters at 1024x1024."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.sizes import check_counts
from checkpoints_index.generators.units.hidden_layers import ConstantSum, HiddenLayer, TensorAxis
from checkpoints_index.generators.units.refinements import LeakyRefinement

SIZES = (32, 64, 128, 256, 512, 1024)
GRID_CHANNELS = 1024
BLOCK_CHANNELS = (512, 256, 128, 128, 64)
MAX_REFINEMENTS = 64


class SkylineGenerator(nn.Module):
    """Dense to a grid, five transposed convolutions of stride 2, no batch norm.

    At 1024 px: 100 -> 32x32x1024, which alone is 106 M parameters, doubled five times, then a 6x6
    transposed convolution, a convolution to three colours, and tanh. Smaller pictures start from
    a smaller grid, image_size / 32.

    Args:
        z_dim: length of a latent point.
        image_size: width and height of a picture in px, a power of two from 32 to 1024.
        width: multiplies the channels of every layer.
        channels: the channels of each layer from the grid to the picture, instead of those that
            `width` gives.
        refinements: for each of the five doublings, how many `LeakyRefinement`s follow it.

    Raises:
        CheckpointError: a size that is not among the above, or a width of nothing.
    """

    def __init__(
        self,
        z_dim: int = 100,
        image_size: int = 1024,
        width: float = 1.0,
        channels: Sequence[int] = (),
        refinements: Sequence[int] = (),
    ) -> None:
        super().__init__()
        check_options(z_dim, image_size, width)
        self.grid_size = image_size // 32
        usual = usual_channels(width)
        counts = check_counts("skyline", "channels", channels, len(usual), least=1) or usual
        *channels, smooth = counts
        depths = check_counts(
            "skyline", "refinements", refinements, len(BLOCK_CHANNELS), most=MAX_REFINEMENTS
        )
        depths = depths or [0] * len(BLOCK_CHANNELS)
        self.dense = nn.Linear(z_dim, channels[0] * self.grid_size**2)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.ConvTranspose2d(before, after, 4, stride=2, padding=1),
                    nn.LeakyReLU(0.2),
                    *(LeakyRefinement(after) for _ in range(depth)),
                )
                for (before, after), depth in zip(pairwise(channels), depths, strict=True)
            )
        )
        self.smooth = nn.ConvTranspose2d(channels[-1], smooth, 6)
        self.to_rgb = nn.Conv2d(smooth, 3, 6)  # It takes back the 5 px that `smooth` added.
        self.apply(initialise)

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, image_size, image_size] in -1..1."""
        x = torch.unflatten(self.dense(z), 1, (-1, self.grid_size, self.grid_size))  # [NCgg]
        # The maps of 1024 px, 270 MB a picture, have no names, so that each is freed after its use.
        x = F.leaky_relu(self.smooth(self.blocks(F.leaky_relu(x, 0.2))), 0.2)
        return torch.tanh(self.to_rgb(x))

    @staticmethod
    def hidden_layers(options: Mapping[str, Any]) -> list[HiddenLayer]:
        """The channels behind each leaky ReLU.

        The last convolution pads nothing, so constant channels before it can be summed up.
        """
        counts = options.get("channels") or usual_channels(options.get("width", 1.0))
        depths = [0, *(options.get("refinements") or [0] * len(BLOCK_CHANNELS)), 0]
        names = ["dense", *(f"blocks.{i}" for i in range(len(BLOCK_CHANNELS))), "smooth"]
        grid = (options.get("image_size", 1024) // 32) ** 2
        layers = []
        for level, (name, units, depth) in enumerate(zip(names, counts, depths, strict=True)):
            makes = f"{name}.0" if name.startswith("blocks") else name
            span, axis = (grid, 0) if level == 0 else (1, 1)
            own = [TensorAxis(f"{makes}.weight", axis, span), TensorAxis(f"{makes}.bias", 0, span)]
            refined = [f"{name}.{2 + i}" for i in range(depth)]
            own += [TensorAxis(f"{each}.{t}", 0) for each in refined for t in ("weight", "bias")]
            read = [TensorAxis(f"{each}.weight", 1) for each in refined]
            reader = [*names, "to_rgb"][level + 1]
            reads = f"{reader}.0" if reader.startswith("blocks") else reader
            is_last = reader == "to_rgb"
            read += [TensorAxis(f"{reads}.weight", int(is_last))]
            constant = ConstantSum("to_rgb.bias", "to_rgb.weight", 1, 0) if is_last else None
            places = (*own,), (*read,), (*refined, reads)
            layers.append(HiddenLayer(name, units, *places, constant=constant))
        return layers

    @staticmethod
    def resize(options: Mapping[str, Any], units: Mapping[str, int]) -> dict[str, Any]:
        """The same network with so many channels in each of its layers."""
        names = [layer.name for layer in SkylineGenerator.hidden_layers(options)]
        return {**options, "channels": [units[name] for name in names]}

    @staticmethod
    def deepen(options: Mapping[str, Any], layer: str) -> dict[str, Any]:
        """The same network with a `LeakyRefinement` more behind a doubling.

        Raises:
            CheckpointError: the layer is none of the doublings.
        """
        names = [f"blocks.{i}" for i in range(len(BLOCK_CHANNELS))]
        if layer not in names:
            raise CheckpointError(
                f"A skyline takes a further layer behind {', '.join(names)}, not behind '{layer}'."
            )
        depths = options.get("refinements") or [0] * len(names)
        deeper = [depth + (name == layer) for name, depth in zip(names, depths, strict=True)]
        return {**options, "refinements": deeper}


def usual_channels(width: float) -> list[int]:
    """The channels that a width gives, from the grid to the picture."""
    counts = (GRID_CHANNELS, *BLOCK_CHANNELS, BLOCK_CHANNELS[-1])
    return [max(1, round(width * count)) for count in counts]


def initialise(module: nn.Module) -> None:
    """Draw weights after He et al. 2015, so that a signal keeps its size without batch norm.

    In a transposed convolution, only one in stride^2 of the k x k taps meets each output pixel.
    """
    if isinstance(module, nn.ConvTranspose2d):
        taps = module.in_channels * module.kernel_size[0] ** 2 / module.stride[0] ** 2
        nn.init.normal_(module.weight, 0.0, nn.init.calculate_gain("leaky_relu", 0.2) / taps**0.5)
    elif isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.kaiming_normal_(module.weight, a=0.2)


def check_options(z_dim: int, image_size: int, width: float) -> None:
    """Refuse what `SkylineGenerator` cannot be built with.

    Raises:
        CheckpointError: an option is out of range; the message says which.
    """
    if image_size not in SIZES:
        raise CheckpointError(
            f"The generator 'skyline' makes pictures of {', '.join(map(str, SIZES))} px, "
            f"not {image_size}. Choose one of these as image_size."
        )
    if z_dim < 1 or width <= 0:
        raise CheckpointError(f"z_dim and width must be above 0, not {z_dim} and {width}.")
