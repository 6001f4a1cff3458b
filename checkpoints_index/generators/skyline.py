"""The generator of the original city project: 117.5 M parameters at 1024x1024."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checkpoints_index.errors import CheckpointError

SIZES = (32, 64, 128, 256, 512, 1024)
GRID_CHANNELS = 1024
BLOCK_CHANNELS = (512, 256, 128, 128, 64)


class SkylineGenerator(nn.Module):
    """Dense to a grid, five transposed convolutions of stride 2, no batch norm.

    At 1024 px: 100 -> 32x32x1024, which alone is 106 M parameters, doubled five times, then a 6x6
    transposed convolution, a convolution to three colours, and tanh. Smaller pictures start from
    a smaller grid, image_size / 32.

    Args:
        z_dim: length of a latent point.
        image_size: width and height of a picture in px, a power of two from 32 to 1024.
        width: multiplies the channels of every layer.

    Raises:
        CheckpointError: a size that is not among the above, or a width of nothing.
    """

    def __init__(self, z_dim: int = 100, image_size: int = 1024, width: float = 1.0) -> None:
        super().__init__()
        check_options(z_dim, image_size, width)
        self.grid_size = image_size // 32
        channels = [max(1, round(width * count)) for count in (GRID_CHANNELS, *BLOCK_CHANNELS)]
        self.dense = nn.Linear(z_dim, channels[0] * self.grid_size**2)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)
                )
                for before, after in pairwise(channels)
            )
        )
        self.smooth = nn.ConvTranspose2d(channels[-1], channels[-1], 6)
        self.to_rgb = nn.Conv2d(channels[-1], 3, 6)  # It takes back the 5 px that `smooth` added.
        self.apply(initialise)

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, image_size, image_size] in -1..1."""
        x = torch.unflatten(self.dense(z), 1, (-1, self.grid_size, self.grid_size))  # [NCgg]
        # The maps of 1024 px, 270 MB a picture, have no names, so that each is freed after its use.
        x = F.leaky_relu(self.smooth(self.blocks(F.leaky_relu(x, 0.2))), 0.2)
        return torch.tanh(self.to_rgb(x))


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
