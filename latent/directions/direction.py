"""A direction in latent space, and the points along it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from latent.errors import LatentError


@dataclass(frozen=True, eq=False)
class Direction:
    """A way that every latent point can go.

    Args:
        name: what people call it, such as `pca:0`.
        z: float32 [z_dim], of length 1.
        share: how much of what was looked at lies along it, 0..1: of the variance of activations,
            or of the energy of the first weights; None where that has no meaning.
    """

    name: str
    z: Tensor
    share: float | None = None


def unit(z: Tensor) -> Tensor:
    """Directions of length 1, their largest number positive, so that the same one has one sign.

    Args:
        z: float [..., z_dim].

    Returns:
        float32 [..., z_dim].

    Raises:
        LatentError: one has no length, or is not finite.
    """
    length = z.norm(dim=-1, keepdim=True)
    if not (length.isfinite() & (length > 0)).all():
        raise LatentError("A direction without a length leads nowhere: the generator ignores z.")
    largest = z.gather(-1, z.abs().argmax(-1, keepdim=True))
    signed: Tensor = z / length * largest.sign()
    return signed.float()


def along(z: Tensor, direction: Direction, strengths: Tensor) -> Tensor:
    """The points that one reaches from a point along a direction.

    Args:
        z: float32 [z_dim].
        strengths: float32 [S], how far; 1 is one standard deviation of N(0, I).

    Returns:
        float32 [S, z_dim].

    Raises:
        LatentError: point and direction have other lengths.
    """
    if z.shape != direction.z.shape:
        raise LatentError(
            f"Direction {direction.name} has {direction.z.numel()} numbers, the point {z.numel()}."
        )
    return z + strengths[:, None].to(torch.float32) * direction.z
