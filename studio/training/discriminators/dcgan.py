"""Discriminators of the DCGAN family (Radford et al. 2016)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from checkpoints_index.generators.dcgan import SIZES
from studio.training.discriminators.stored_names import keep_stored_names
from studio.workspace.errors import StudioError


class DCGANDiscriminator(nn.Module):
    """Halves the picture with 4x4 convolutions of stride 2 down to 4x4, then makes one logit.

    Args:
        image_size: width and height of a picture in px, a power of two from 32 to 1024.
        width: multiplies the channels of every layer: 64, 128, 256, 512, ... at width 1.
        max_channels: the largest number of channels of a layer at width 1.
        norm: "batch" on all layers but the first (the paper), "spectral" (Miyato et al. 2018),
            or "none".
        minibatch_stddev: give the last layer the deviation of the batch as a further channel,
            against mode collapse (Karras et al. 2018, section 3).

    Raises:
        StudioError: another image_size.
    """

    def __init__(
        self,
        image_size: int = 64,
        width: float = 1.0,
        max_channels: int = 512,
        norm: str = "batch",
        minibatch_stddev: bool = False,
    ) -> None:
        super().__init__()
        if image_size not in SIZES:
            raise StudioError(
                f"The discriminator 'dcgan' judges pictures of {', '.join(map(str, SIZES))} px, "
                f"not {image_size}. Choose one of these as image_size."
            )
        halvings = int(math.log2(image_size)) - 2
        channels = [
            max(1, round(width * min(max_channels, 64 * 2**level))) for level in range(halvings)
        ]
        layers = [halving(3, channels[0], "none" if norm == "batch" else norm)]
        layers += [halving(before, after, norm) for before, after in pairwise(channels)]
        self.layers = nn.Sequential(*layers)
        self.minibatch_stddev = minibatch_stddev
        self.to_logit = nn.Conv2d(channels[-1] + minibatch_stddev, 1, 4)
        if norm == "spectral":
            spectral_norm(self.to_logit)
        keep_stored_names(self)

    def forward(self, pictures: Tensor) -> Tensor:
        """float [N, 3, S, S] in -1..1 -> logits, float [N]: high where a picture looks real."""
        x = self.layers(pictures)  # [NC44]
        if self.minibatch_stddev:
            x = torch.cat([x, batch_deviation(x)], dim=1)
        logits: Tensor = self.to_logit(x)
        return logits.flatten()


def halving(in_channels: int, out_channels: int, norm: str) -> nn.Sequential:
    """Layers [N, in_channels, H, W] -> [N, out_channels, H/2, W/2]; norm as in the network."""
    convolution = nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=norm != "batch")
    nn.init.kaiming_normal_(convolution.weight, a=0.2)
    layers: list[nn.Module] = [spectral_norm(convolution) if norm == "spectral" else convolution]
    if norm == "batch":
        layers.append(nn.BatchNorm2d(out_channels))
    return nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True))


def batch_deviation(x: Tensor) -> Tensor:
    """The deviation over the batch, averaged over all features, as one channel [N, 1, H, W].

    Args:
        x: float [N, C, H, W].
    """
    deviation = (x.var(dim=0, unbiased=False) + 1e-8).sqrt().mean()
    return deviation.expand(len(x), 1, *x.shape[2:])
