"""Super-resolution networks of the ShuffleMixer family (Sun et al. 2022, arXiv 2205.15175)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checkpoints_index.errors import CheckpointError

SCALES = (2, 3, 4)
BLOCKS = 5
GROUPS = 8  # Channels are shuffled in so many groups, whatever their number.
EXTRA_CHANNELS = 16  # A block's convolution has so many channels more inside.
EPS = 1e-5
MAX_CHANNELS, MAX_KERNEL = 512, 63
MAX_STRIP = 1 << 25  # Numbers in a map of the large picture, 128 MB of float32.


class ShuffleMixer(nn.Module):
    """Enlarges pictures of any size: float [N, 3, h, w] in 0..1 -> float [N, 3, h*s, w*s].

    Large depthwise kernels gather what lies around a pixel, 1x1 convolutions on half of the
    channels mix them, and a shuffle of the channels brings the other half its turn. What the
    network computes is added to the bilinearly enlarged picture. Tensors have the names of the
    published files, `upsapling` included, so that these load as they are.

    Args:
        scale: how many times as wide and high pictures become: 2, 3 or 4.
        channels: a multiple of 8, from 16; the published networks have 64 ("base"), 32 ("tiny").
        kernel: width of the depthwise kernels in px, odd; published 7 ("base"), 3 ("tiny").
        shuffle: whether channels are shuffled; without it, half of them are never mixed by a
            1x1 convolution of its block's layers.

    Raises:
        CheckpointError: an option is out of range.
    """

    def __init__(
        self, scale: int = 4, channels: int = 64, kernel: int = 7, shuffle: bool = True
    ) -> None:
        super().__init__()
        check_network(scale, channels, kernel)
        self.scale = scale
        self.to_feat = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(
            *(ShuffleMixerBlock(channels, kernel, shuffle) for _ in range(BLOCKS))
        )
        self.upsapling = enlarging_layers(scale, channels)
        self.tail = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, 3, h, w] in 0..1 -> float [N, 3, h*s, w*s], about in 0..1, not clamped."""
        return self.enlarge(x)

    def enlarge(self, x: Tensor) -> Tensor:
        """As `forward`; the name that it keeps in `ShuffleMixerGenerator`.

        The maps of the large picture take scale^2 times the memory of those of the small one.
        Where nothing is to be learned they are made in strips, of which each sees a row more at
        either side, and which give the same picture.
        """
        features = self.blocks(self.to_feat(x))  # [NChw]
        numbers_per_row = features[:, :, :1].numel() * self.scale**2
        rows, height = max(1, MAX_STRIP // numbers_per_row), x.shape[2]
        if torch.is_grad_enabled() or rows >= height:
            return self._draw(features, x)
        strips = (
            self._draw_strip(features, x, first, min(first + rows, height))
            for first in range(0, height, rows)
        )
        return torch.cat(list(strips), dim=2)

    def _draw(self, features: Tensor, x: Tensor) -> Tensor:
        """Maps float [N, C, h, w] of pictures [N, 3, h, w] -> float [N, 3, h*s, w*s]."""
        details = self.tail(self.upsapling(features))
        smooth = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        drawn: Tensor = details + smooth
        return drawn

    def _draw_strip(self, features: Tensor, x: Tensor, first: int, end: int) -> Tensor:
        """The rows of the large picture that come of the rows first to end of the small one."""
        above, below = max(0, first - 1), min(x.shape[2], end + 1)
        drawn = self._draw(features[:, :, above:below], x[:, :, above:below])
        return drawn[:, :, (first - above) * self.scale : (end - above) * self.scale]

    @property
    def reach(self) -> int:
        """How many px of the small picture around a pixel bear upon those that it becomes.

        The convolutions before the upsampling reach as far as they pad. The last one reaches one
        px of the large picture, and the bilinear picture less than one px of the small one.
        """
        return sum(reach_of(module) for module in (self.to_feat, self.blocks)) + 1


class ShuffleMixerGenerator(ShuffleMixer):
    """A ShuffleMixer as a generator: a latent point is a small picture, flattened.

    Args:
        z_dim: length of a latent point: 3 * (image_size / scale)^2.
        image_size: width and height in px of the pictures that it makes, a multiple of `scale`.
        scale, channels, kernel, shuffle: as in `ShuffleMixer`.

    Raises:
        CheckpointError: an option is out of range, or z_dim is not that of the small picture.
    """

    def __init__(
        self,
        z_dim: int,
        image_size: int = 64,
        scale: int = 4,
        channels: int = 64,
        kernel: int = 7,
        shuffle: bool = True,
    ) -> None:
        super().__init__(scale, channels, kernel, shuffle)
        if image_size < scale or image_size % scale:
            raise CheckpointError(
                f"image_size is a multiple of scale {scale}, not {image_size}, since a picture is "
                f"{scale} times as wide as the small one that it is made of."
            )
        self.image_size, self.small_size = image_size, image_size // scale
        if z_dim != 3 * self.small_size**2:
            raise CheckpointError(
                f"z_dim must be {3 * self.small_size**2}, not {z_dim}: a latent point of this "
                f"generator is a small picture of 3 x {self.small_size} x {self.small_size} px."
            )

    def forward(self, z: Tensor) -> Tensor:
        """Small pictures, float [N, z_dim] in -1..1 -> float [N, 3, image_size, image_size].

        In -1..1 by clamping in eval mode; a clamp would stop gradients while training.
        """
        small = torch.unflatten(z, 1, (3, self.small_size, self.small_size))  # [N3hw]
        pictures = self.enlarge((small + 1) / 2) * 2 - 1
        return pictures if self.training else pictures.clamp(-1, 1)


class ShuffleMixerBlock(nn.Module):
    """Two layers of mixing and a 3x3 convolution that widens, each added to its input.

    Args:
        channels: channels of the input and the output.
        kernel: width of the depthwise kernels in px.
        shuffle: whether channels are shuffled.
    """

    def __init__(self, channels: int, kernel: int, shuffle: bool) -> None:
        super().__init__()
        wide = channels + EXTRA_CHANNELS
        self.net = nn.Sequential(*(ShuffleMixerLayer(channels, kernel, shuffle) for _ in range(2)))
        self.conv = nn.Sequential(
            nn.Conv2d(channels, wide, 3, padding=1), nn.SiLU(), nn.Conv2d(wide, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, h, w] -> the same shape."""
        x = self.net(x) + x
        mixed: Tensor = self.conv(x) + x
        return mixed


class ShuffleMixerLayer(nn.Module):
    """Mixes channels, then pixels by a large depthwise convolution, then channels again.

    Args:
        channels: channels of the input and the output.
        kernel: width of the depthwise kernel in px.
        shuffle: whether channels are shuffled.
    """

    def __init__(self, channels: int, kernel: int, shuffle: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = PixelwiseNorm(channels), PixelwiseNorm(channels)
        self.spatial = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.mlp1, self.mlp2 = HalfMixer(channels, shuffle), HalfMixer(channels, shuffle)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, h, w] -> the same shape."""
        x = self.spatial(self.mlp1(self.norm1(x)) + x)
        mixed: Tensor = self.mlp2(self.norm2(x)) + x
        return mixed


class PixelwiseNorm(nn.Module):
    """Gives the channels of each pixel mean 0 and variance 1, then a learned gain, no bias.

    Args:
        channels: channels of the input and the output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Module()  # The published files call the gain `body.weight`.
        self.body.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, h, w] -> the same shape."""
        gain = self.body.get_parameter("weight")
        by_pixel = x.permute(0, 2, 3, 1)  # [NhwC]
        return F.layer_norm(by_pixel, gain.shape, gain, None, EPS).permute(0, 3, 1, 2)


class HalfMixer(nn.Module):
    """Mixes the first half of the channels by a network of 1x1 convolutions, then shuffles all.

    Args:
        channels: channels of the input and the output.
        shuffle: whether channels are shuffled.
    """

    def __init__(self, channels: int, shuffle: bool) -> None:
        super().__init__()
        half = channels // 2
        self.shuffles = shuffle
        self.fc = nn.Sequential(
            nn.Conv2d(half, channels, 1), nn.SiLU(), nn.Conv2d(channels, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, h, w] -> the same shape."""
        first, second = x.chunk(2, dim=1)
        mixed = torch.cat((self.fc(first), second), dim=1)
        return shuffle_channels(mixed) if self.shuffles else mixed


def shuffle_channels(x: Tensor) -> Tensor:
    """Deal the channels of 8 groups out in turn: the first of each, then the second of each.

    Example:
        >>> shuffle_channels(torch.arange(16).view(1, 16, 1, 1)).flatten().tolist()
        [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15]
    """
    return torch.unflatten(x, 1, (GROUPS, -1)).transpose(1, 2).flatten(1, 2)


def enlarging_layers(scale: int, channels: int) -> nn.Sequential:
    """Layers that make maps larger: float [N, C, h, w] -> float [N, C, h*s, w*s].

    Four times is twice two times; two and three times are one step.
    """
    steps = [2] * int(math.log2(scale)) if scale != 3 else [3]
    layers: list[nn.Module] = []
    for step in steps:
        layers += nn.Conv2d(channels, channels * step**2, 1), nn.PixelShuffle(step), nn.SiLU()
    return nn.Sequential(*layers)


def reach_of(network: nn.Module) -> int:
    """How far, in px, the convolutions of a network look that follow one another."""
    convolutions = (module for module in network.modules() if isinstance(module, nn.Conv2d))
    return sum(convolution.kernel_size[0] // 2 for convolution in convolutions)


def check_network(scale: int, channels: int, kernel: int) -> None:
    """Refuse what a ShuffleMixer cannot be built with.

    Raises:
        CheckpointError: an option is out of range; the message says which.
    """
    if scale not in SCALES:
        raise CheckpointError(f"scale is one of {', '.join(map(str, SCALES))}, not {scale}.")
    if channels % GROUPS or not 2 * GROUPS <= channels <= MAX_CHANNELS:
        raise CheckpointError(
            f"channels is a multiple of {GROUPS} from {2 * GROUPS} to {MAX_CHANNELS}, "
            f"not {channels}, since they are shuffled in {GROUPS} groups."
        )
    if kernel % 2 == 0 or not 1 <= kernel <= MAX_KERNEL:
        raise CheckpointError(f"kernel is an odd number from 1 to {MAX_KERNEL}, not {kernel}.")
