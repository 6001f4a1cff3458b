"""Lengths of paths as a generator gives them: how far a picture travels on the way to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from latent.errors import LatentError
from latent.interpolation import slerp
from latent.nearness.distances import measure_pairs

STEPS = 16  # Parts of a path between two points.


def measure_steps(features: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """The length of each step along a path.

    Args:
        features: float [num_steps + 1, num_features], in the order of the path.
        metric: `euclidean`, in the units of the features; or `cosine`, the angle in radians, since
            one less its cosine does not add up.

    Returns:
        float64 [num_steps].
    """
    measured = measure_pairs(features[:-1], features[1:], metric)
    return measured if metric == "euclidean" else to_angles(measured)


def to_angles(cosine_distances: np.ndarray) -> np.ndarray:
    """Angles in radians of cosine distances 0..2, float [N]."""
    return 2 * np.arcsin(np.sqrt(np.clip(cosine_distances / 2, 0, 1)))


def measure_paths(
    describe: Callable[[Tensor], np.ndarray],
    pairs: Sequence[tuple[Tensor, Tensor]],
    metric: str = "euclidean",
    steps: int = STEPS,
    blend: Callable[[Tensor, Tensor, Tensor], Tensor] = slerp,
) -> np.ndarray:
    """How far features travel on the ways from one latent point to another.

    The sum over small steps (Karras et al. 2019, section 4.1, sums their squares; Arvanitidis et
    al. 2018, equation 3, is the limit). Unlike the distance of the two ends, it tells a way on
    which the picture changes back and forth from one on which it does not. More steps only make
    it longer.

    Args:
        describe: z float32 [N, z_dim] -> float [N, num_features].
        pairs: (from, to), each float32 [z_dim].
        metric: see `measure_steps`.
        steps: parts of each path, 1 or more.
        blend: `slerp` or `lerp` of `latent.interpolation`.

    Returns:
        float64 [len(pairs)].

    Raises:
        LatentError: no steps, or as describe.
    """
    if steps < 1:
        raise LatentError(f"A path of {steps} steps leads nowhere: use 1 or more.")
    if not pairs:
        return np.empty(0)
    t = torch.linspace(0, 1, steps + 1)
    features = describe(torch.cat([blend(a, b, t) for a, b in pairs]))
    each = np.split(np.asarray(features), len(pairs))
    return np.array([measure_steps(path, metric).sum() for path in each])
