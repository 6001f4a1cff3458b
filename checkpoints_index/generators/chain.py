"""Generators whose layers simply follow one another, written down layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.units.chain_units import (
    deepen_chain,
    list_chain_layers,
    resize_chain,
)
from checkpoints_index.generators.units.hidden_layers import HiddenLayer
from checkpoints_index.generators.units.refinements import DenseRefinement, LeakyRefinement


class PixelNorm(nn.Module):
    """Each pixel's channels brought to a mean square of 1 (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """float [N, C, H, W] -> float [N, C, H, W]."""
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


LAYERS: dict[str, type[nn.Module]] = {
    layer.__name__: layer
    for layer in (
        *(nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm1d, nn.BatchNorm2d),
        *(nn.InstanceNorm2d, PixelNorm, nn.Unflatten, nn.Upsample, nn.ZeroPad2d),
        *(nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU),
        *(nn.Tanh, nn.Sigmoid, LeakyRefinement, DenseRefinement),
    )
}


_TAKEN = {*dir(nn.Module()), "_nameless", "_chain", "z_dim", "image_size"}


class ChainGenerator(nn.Module):
    """Layers of `torch.nn`, one after another, under the tensor names of a foreign program.

    Args:
        layers: a mapping for each: "layer" is its class, such as "ConvTranspose2d"; "name", where
            it has weights, its name in the state dict, such as "main.0"; the rest is what the
            class is constructed with.
        z_dim: length of a latent point.
        image_size: width and height of a picture in px.

    Raises:
        CheckpointError: a layer is none of LAYERS, or does not take one of its options.
    """

    def __init__(
        self, layers: Sequence[dict[str, Any]], z_dim: int = 100, image_size: int = 64
    ) -> None:
        super().__init__()
        self.z_dim, self.image_size = z_dim, image_size
        self._nameless = nn.ModuleList()
        chain = []
        for described in layers:
            layer = build_layer(described)
            chain.append(layer)
            if "name" in described:
                register(self, described["name"], layer)
            else:
                self._nameless.append(layer)
        self._chain = tuple(chain)

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, image_size, image_size] in -1..1; grey is repeated."""
        x = z
        for layer in self._chain:
            x = layer(x)
        if isinstance(self._chain[-1], nn.Sigmoid):
            x = 2 * x - 1
        return x.expand(-1, 3, -1, -1)

    @staticmethod
    def hidden_layers(options: Mapping[str, Any]) -> list[HiddenLayer]:
        """What each layer with weights hands to the next one; those that mix channels are not in.

        Raises:
            CheckpointError: there are none whose units can be told apart.
        """
        return list_chain_layers(options["layers"])

    @staticmethod
    def resize(options: Mapping[str, Any], units: Mapping[str, int]) -> dict[str, Any]:
        """The same chain with so many units in each of its hidden layers."""
        return {**options, "layers": resize_chain(options["layers"], units)}

    @staticmethod
    def deepen(options: Mapping[str, Any], layer: str) -> dict[str, Any]:
        """The same chain with a refinement more behind a hidden layer.

        Raises:
            CheckpointError: there is no such hidden layer.
        """
        return {**options, "layers": deepen_chain(options["layers"], layer)}


def build_layer(described: dict[str, Any]) -> nn.Module:
    """One layer of a chain.

    Args:
        described: as in `ChainGenerator`.

    Raises:
        CheckpointError: it is none of LAYERS, or does not take one of its options.
    """
    options = {key: value for key, value in described.items() if key not in ("layer", "name")}
    kind = described.get("layer")
    if kind not in LAYERS:
        raise CheckpointError(f"'{kind}' is no layer of a chain. Known: {', '.join(LAYERS)}.")
    try:
        return LAYERS[kind](**options)
    except TypeError as error:
        raise CheckpointError(
            f"The layer {described} of a chain cannot be built: {error}."
        ) from error


def register(root: nn.Module, dotted: str, layer: nn.Module) -> None:
    """Put a layer where its state dict has the names of the foreign program.

    Args:
        root: the generator.
        dotted: the layer's name in it, such as "main.0"; modules on the way are made.
        layer: the layer.

    Raises:
        CheckpointError: no module can have the name, or one has it already.
    """
    *parents, leaf = dotted.split(".")
    if not is_layer_name(dotted):
        raise CheckpointError(f"No layer of a chain can be called '{dotted}'.")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    if leaf in root._modules or hasattr(root, leaf):
        raise CheckpointError(f"Two parts of a chain are called '{dotted}'.")
    root.add_module(leaf, layer)


def is_layer_name(dotted: str) -> bool:
    """Whether modules can be called so: no part is empty, or the name of what a module has.

    Example:
        >>> [is_layer_name(name) for name in ("main.0", ".0", "forward", "_modules.0")]
        [True, False, False, False]
    """
    parts = dotted.split(".")
    return all(part and part not in _TAKEN and part.isprintable() for part in parts)
