"""What a direction does to pictures, and whether it does the same in another generator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent.directions.direction import Direction
from latent.nearness.features import compute_features
from latent.points import Shape, keep_normal

STEP = 1.0  # How far it is gone to either side, in standard deviations of N(0, I).


def measure_effects(
    G: nn.Module, directions: list[Direction], z: Tensor, shape: Shape = keep_normal
) -> Tensor:
    """What each direction changes in the pictures of some points, one step to either side.

    Args:
        G: generator in eval mode.
        z: float32 [N, z_dim], the points of N(0, I) from which they are tried; the same for every
            generator.
        shape: makes points of the generator's distribution of them; see `latent.points.Shape`.

    Returns:
        float32 [D, N * num_features], half the difference of the small pictures.

    Raises:
        LatentError: the generator gives numbers that are not finite.
    """
    effects = []
    for direction in directions:
        moved = torch.cat([z + STEP * direction.z, z - STEP * direction.z])
        ahead, behind = compute_features(G, shape(moved), "pictures").chunk(2)
        effects.append(((ahead - behind) / 2).flatten())
    return torch.stack(effects)


def compare_effects(effects: Tensor, reference: Tensor) -> Tensor:
    """How far directions keep their meaning: the cosine of their effects in two generators.

    Args:
        effects, reference: float32 [D, M], as `measure_effects` gives them.

    Returns:
        float32 [D], -1..1: 1 for the same effect, 0 for an unrelated one.
    """
    return F.cosine_similarity(effects, reference, dim=1)
