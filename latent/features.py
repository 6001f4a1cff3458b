"""Describe latent points by features, in which nearness can be measured.

- `z`            the latent vectors themselves;
- `pictures`     what one sees: the generated pictures, averaged down to 16 x 16 pixels;
- `activations`  what the generator sees: its hidden maps, each averaged to 4 x 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent.errors import LatentError

SPACES = ("pictures", "activations", "z")
METRICS = ("euclidean", "cosine")
CHUNK = 64  # So many pictures are rendered at a time.


def compute_features(
    G: nn.Module,
    z: Tensor,
    space: str = "pictures",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """Describe latent points by one vector each.

    Args:
        G: generator in eval mode, z [N, z_dim] -> [N, 3, H, W] in -1..1.
        z: float32 [N, z_dim].
        space: one of SPACES.
        on_progress: called with the number of points described and of all.

    Returns:
        float32 [N, num_features] on the CPU.

    Raises:
        LatentError: there is no such space, or the generator gives numbers that are not finite.
    """
    if space not in SPACES:
        raise LatentError(f"There is no feature space '{space}'. Known: {', '.join(SPACES)}.")
    if space == "z":
        return z.float().cpu()
    describe = _describe_pictures if space == "pictures" else _describe_activations
    rows = []
    for chunk in torch.split(z, CHUNK):
        rows.append(describe(G, chunk).cpu())
        on_progress(min(len(rows) * CHUNK, len(z)), len(z))
    features = torch.cat(rows)
    if not features.isfinite().all():
        raise LatentError(
            f"The generator gives numbers that are not finite, so nothing is near in '{space}': "
            "its weights are damaged, or training had failed. Choose an earlier checkpoint."
        )
    return features


@torch.inference_mode()
def _describe_pictures(G: nn.Module, z: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(G(z.to(_device(G))), 16).flatten(1)


@torch.inference_mode()
def _describe_activations(G: nn.Module, z: Tensor) -> Tensor:
    """Every hidden map after a non-linearity, scaled by its size so that large ones do not win."""
    maps: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        if output.ndim == 4:
            pooled = F.adaptive_avg_pool2d(output, 4).flatten(1)
            maps.append(pooled / pooled.shape[1] ** 0.5)

    hooks = [module.register_forward_hook(keep) for module in _nonlinearities(G)]
    try:
        pictures = G(z.to(_device(G)))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(maps, 1) if maps else F.adaptive_avg_pool2d(pictures, 16).flatten(1)


def _nonlinearities(G: nn.Module) -> Iterator[nn.Module]:
    return (m for m in G.modules() if isinstance(m, nn.ReLU | nn.LeakyReLU | nn.SiLU | nn.GELU))


def _device(G: nn.Module) -> torch.device:
    return next(G.parameters()).device
