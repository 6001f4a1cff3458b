"""Weighted sums of latent points, and points nearer to the middle."""

from __future__ import annotations

from torch import Tensor

from latent.errors import LatentError

VANISHING = 1e-6  # A sum of less than this share of what was added is nothing but rounding.


def mix(points: Tensor, weights: Tensor, *, typical: bool = True) -> Tensor:
    """The weighted sum of latent points.

    The mean of two points of N(0, I) is shorter than points are, and a sum of three longer, so
    that neither is a place that the generator was trained on. Divided by the root of the sum of
    the squared weights, any sum of independent points is one of N(0, I) again (Bodin et al. 2024,
    "Linear combinations of latents in generative models").

    Args:
        points: float32 [N, z_dim], independent draws of N(0, I).
        weights: float [N], of either sign.
        typical: scale the sum so; else it is as the numbers add up.

    Returns:
        float32 [z_dim].

    Raises:
        LatentError: nothing is left of the points.

    Example:
        >>> import torch
        >>> mix(torch.tensor([[3.0, 0.0], [0.0, 4.0]]), torch.tensor([0.6, 0.8]))
        tensor([1.8000, 3.2000])
    """
    shares = weights.double()
    total = shares @ points.double()
    if total.norm() <= VANISHING * (shares[:, None] * points.double()).norm():
        raise LatentError("Nothing is left of this sum: its points take each other away.")
    return (total / shares.norm() if typical else total).float()


def truncate(z: Tensor, psi: float) -> Tensor:
    """Bring points nearer to the middle, where pictures are more usual and less varied.

    Args:
        z: float32 [..., z_dim].
        psi: the share of their length that is left, above 0 up to 1 (Karras et al. 2019, appendix
            B, there in w).

    Raises:
        LatentError: psi is out of range.

    Example:
        >>> import torch
        >>> truncate(torch.tensor([3.0, 4.0]), 0.5)
        tensor([1.5000, 2.0000])
    """
    if not 0 < psi <= 1:
        raise LatentError(f"A truncation to {psi:g} is out of range: use more than 0, up to 1.")
    return z * psi
