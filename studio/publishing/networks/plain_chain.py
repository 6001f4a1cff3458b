"""The network of this model, in plain PyTorch: layers that follow one another."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NormalizePixels(nn.Module):
    """Each pixel's channels brought to a mean square of 1 (Karras 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, H, W] -> float [N, C, H, W]."""
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class GridDetail(nn.Module):
    """A 3x3 convolution and a leaky ReLU, which are added to their input.

    Args:
        channels: channels before and behind it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, H, W] -> the same shape."""
        return x + F.leaky_relu(F.conv2d(x, self.weight, self.bias, padding=1), 0.2)


class VectorDetail(nn.Module):
    """A dense layer and a leaky ReLU, which are added to their input.

    Args:
        channels: numbers before and behind it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels] -> the same shape."""
        return x + F.leaky_relu(F.linear(x, self.weight, self.bias), 0.2)


LAYERS: dict[str, type[nn.Module]] = {
    "PixelNorm": NormalizePixels,
    "LeakyRefinement": GridDetail,
    "DenseRefinement": VectorDetail,
    **{
        layer.__name__: layer
        for layer in (
            *(nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm1d, nn.BatchNorm2d),
            *(nn.InstanceNorm2d, nn.Unflatten, nn.Upsample, nn.ZeroPad2d),
            *(nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU),
            *(nn.Tanh, nn.Sigmoid),
        )
    },
}


class PlainChain(nn.Module):
    """Layers of `torch.nn`, one after another, under the names that their weights have.

    Args:
        layers: "layer" is its class, "name" its name in model.safetensors, where it has weights;
            the rest is what the class is constructed with.
    """

    def __init__(self, layers: list[dict[str, Any]]) -> None:
        super().__init__()
        self._nameless = nn.ModuleList()
        chain = []
        for described in layers:
            options = {k: v for k, v in described.items() if k not in ("layer", "name")}
            layer = LAYERS[described["layer"]](**options)
            chain.append(layer)
            if "name" not in described:
                self._nameless.append(layer)
                continue
            *parents, leaf = described["name"].split(".")
            place: nn.Module = self
            for parent in parents:
                if parent not in place._modules:
                    place.add_module(parent, nn.Module())
                place = place.get_submodule(parent)
            place.add_module(leaf, layer)
        self._chain = tuple(chain)

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, height, width] in -1..1; grey is repeated."""
        x = z
        for layer in self._chain:
            x = layer(x)
        if isinstance(self._chain[-1], nn.Sigmoid):
            x = 2 * x - 1
        return x.expand(-1, 3, -1, -1)


def build_network(described: dict[str, Any]) -> nn.Module:
    """The generator without its weights, from "network" in config.json."""
    return PlainChain(**described)
