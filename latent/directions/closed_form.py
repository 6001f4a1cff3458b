"""Directions that the first weights of a generator amplify most (SeFa)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latent.directions.direction import Direction, unit
from latent.directions.principal import require_count
from latent.errors import LatentError


def find_closed_form(G: nn.Module, z_dim: int, count: int) -> list[Direction]:
    """Find the directions that move the output of the first layer furthest (Shen and Zhou 2021).

    They are the right singular vectors of the layer's matrix; no point is drawn for them.

    Args:
        G: generator in eval mode.
        count: how many, 1 to z_dim.

    Returns:
        `sefa:0`, `sefa:1` and so on, the most amplified first.

    Raises:
        LatentError: the count is out of range, or the first layer does not take z as it is.
    """
    require_count(count, z_dim)
    _, sizes, ways = torch.linalg.svd(_first_matrix(G, z_dim).double(), full_matrices=False)
    shares = sizes.square() / sizes.square().sum().clamp_min(1e-300)
    return [
        Direction(f"sefa:{number}", way, float(share))
        for number, (way, share) in enumerate(zip(unit(ways[:count]), shares, strict=False))
    ]


@torch.inference_mode()
def _first_matrix(G: nn.Module, z_dim: int) -> Tensor:
    """What the first layer with weights does to each number of z, float32 [outputs, z_dim].

    It is measured with unit vectors, and so holds for dense layers and for convolutions alike.
    """
    device = next(G.parameters()).device
    layer, shape = _first_layer(G, torch.zeros(1, z_dim, device=device))
    if shape.numel() != z_dim:
        raise LatentError(
            f"The first layer of this generator takes {shape.numel()} numbers, and z has {z_dim}: "
            "there is no closed form. Use the directions of the activations: --method pca"
        )
    inputs = torch.eye(z_dim, device=device).reshape(z_dim, *shape[1:])
    moved: Tensor = layer(inputs) - layer(torch.zeros_like(inputs[:1]))
    return moved.flatten(1).T.cpu()


def _first_layer(G: nn.Module, z: Tensor) -> tuple[nn.Module, torch.Size]:
    """The first linear layer that a point passes, and the shape of what it is given."""
    met: list[tuple[nn.Module, torch.Size]] = []

    def meet(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        met.append((module, inputs[0].shape))

    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    hooks = [m.register_forward_pre_hook(meet) for m in G.modules() if isinstance(m, kinds)]
    try:
        G(z)
    finally:
        for hook in hooks:
            hook.remove()
    if not met:
        raise LatentError(
            "No dense or convolutional layer is in this generator: there is no closed form. "
            "Use the directions of the activations: --method pca"
        )
    return met[0]
