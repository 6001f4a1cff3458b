"""The network of this model, in plain PyTorch: ShuffleMixer (Sun 2022) makes pictures larger."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS, GROUPS = 5, 8  # Channels are shuffled in 8 groups.
EXTRA_CHANNELS = 16  # A block's convolution is so many channels wider inside.


class PlainShuffleMixer(nn.Module):
    """Makes pictures of any size `scale` times as wide and as high.

    Args:
        scale: 2, 3 or 4.
        channels: of the maps inside.
        kernel: width of the depthwise convolutions in px.
        shuffle: whether channels are shuffled.
    """

    def __init__(self, scale: int, channels: int, kernel: int, shuffle: bool) -> None:
        super().__init__()
        self.scale = scale
        self.to_feat = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(
            *(MixAndConvolve(channels, kernel, shuffle) for _ in range(BLOCKS))
        )
        doublings = [3] if scale == 3 else [2] * (scale // 2)
        layers: list[nn.Module] = []
        for step in doublings:
            layers += nn.Conv2d(channels, channels * step**2, 1), nn.PixelShuffle(step), nn.SiLU()
        self.upsapling = nn.Sequential(*layers)  # The authors' files spell it so.
        self.tail = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """float [N, 3, h, w] in -1..1 -> float [N, 3, h * scale, w * scale] in -1..1."""
        x = (pictures + 1) / 2
        details = self.tail(self.upsapling(self.blocks(self.to_feat(x))))
        smooth = F.interpolate(x, scale_factor=self.scale, mode="bilinear")
        drawn: Tensor = (details + smooth) * 2 - 1
        return drawn.clamp(-1, 1)

    @property
    def reach(self) -> int:
        """How many px of a small picture around a px bear upon what becomes of that."""
        layers = (*self.to_feat.modules(), *self.blocks.modules())
        return 1 + sum(each.kernel_size[0] // 2 for each in layers if isinstance(each, nn.Conv2d))


class MixAndConvolve(nn.Module):
    """Two layers of mixing and a 3x3 convolution that is wider inside, each added to its input.

    Args:
        channels, kernel, shuffle: as in `PlainShuffleMixer`.
    """

    def __init__(self, channels: int, kernel: int, shuffle: bool) -> None:
        super().__init__()
        wide = channels + EXTRA_CHANNELS
        self.net = nn.Sequential(*(MixAround(channels, kernel, shuffle) for _ in range(2)))
        self.conv = nn.Sequential(
            nn.Conv2d(channels, wide, 3, padding=1), nn.SiLU(), nn.Conv2d(wide, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, h, w] -> the same shape."""
        x = x + self.net(x)
        convolved: Tensor = self.conv(x)
        return x + convolved


class MixAround(nn.Module):
    """Mixes channels, then pixels by a large depthwise convolution, then channels again.

    Args:
        channels, kernel, shuffle: as in `PlainShuffleMixer`.
    """

    def __init__(self, channels: int, kernel: int, shuffle: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = NormalizeChannels(channels), NormalizeChannels(channels)
        self.spatial = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.mlp1, self.mlp2 = MixHalf(channels, shuffle), MixHalf(channels, shuffle)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, h, w] -> the same shape."""
        x = self.spatial(x + self.mlp1(self.norm1(x)))
        mixed: Tensor = self.mlp2(self.norm2(x))
        return x + mixed


class NormalizeChannels(nn.Module):
    """Gives the channels of each pixel mean 0 and variance 1, then a learned gain.

    Args:
        channels: how many there are.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Module()
        self.body.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, h, w] -> the same shape."""
        gain = self.body.get_parameter("weight")
        return F.layer_norm(x.movedim(1, 3), gain.shape, gain, eps=1e-5).movedim(3, 1)


class MixHalf(nn.Module):
    """Mixes the first half of the channels by 1x1 convolutions, then shuffles all of them.

    Args:
        channels, shuffle: as in `PlainShuffleMixer`.
    """

    def __init__(self, channels: int, shuffle: bool) -> None:
        super().__init__()
        self.shuffle = nn.ChannelShuffle(GROUPS) if shuffle else nn.Identity()
        half = channels // 2
        self.fc = nn.Sequential(
            nn.Conv2d(half, channels, 1), nn.SiLU(), nn.Conv2d(channels, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, h, w] -> the same shape."""
        first, second = x.chunk(2, dim=1)
        mixed: Tensor = self.shuffle(torch.cat((self.fc(first), second), dim=1))
        return mixed


def build_network(described: dict[str, Any]) -> nn.Module:
    """The network without its weights, from "network" in config.json."""
    return PlainShuffleMixer(**described)
