"""Directions along which the activations of a generator vary most (GANSpace)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from latent.directions.direction import Direction, unit
from latent.errors import LatentError

POINTS_PER_NUMBER = 20  # So many points are looked at for each number of a latent vector.
MIN_POINTS, MAX_POINTS = 2_000, 10_000
ROUNDING = 1e-12  # A component of a smaller share of the largest is rounding.

Describe = Callable[[nn.Module, Tensor], Tensor]  # (G, z [N, z_dim]) -> float32 [N, num_features]


def find_principal(G: nn.Module, z: Tensor, count: int, describe: Describe) -> list[Direction]:
    """Find the ways in z that move the principal components of the activations.

    The components of drawn points are found first; then z is regressed on the place of each point
    along them (Härkönen et al. 2020, section 3.2, for generators without a space of styles).

    Args:
        G: generator in eval mode.
        z: float32 [N, z_dim], points of its distribution, at least as many as `enough_points`.
        count: how many, 1 to z_dim.
        describe: the activations of points, such as `compute_features` in that space.

    Returns:
        `pca:0`, `pca:1` and so on, those of the largest variance first.

    Raises:
        LatentError: the count is out of range, or the activations do not depend on z.
    """
    require_count(count, z.shape[1])
    places, shares = _principal_places(describe(G, z).double(), count)
    ways = torch.linalg.lstsq(places, z.double() - z.double().mean(0)).solution  # [count, z_dim]
    return [
        Direction(f"pca:{number}", way, float(share))
        for number, (way, share) in enumerate(zip(unit(ways), shares, strict=True))
    ]


def _principal_places(activations: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Where points lie along the principal components, and the share of variance of each.

    Of the matrices of inner products of points and of features, which have the same eigenvalues,
    the smaller one is taken.

    Args:
        activations: float64 [N, F].

    Returns:
        float64 [N, count] and [count]; fewer where there are no more components.
    """
    centred = activations - activations.mean(0)
    by_points = len(centred) <= centred.shape[1]
    energies, vectors = torch.linalg.eigh(centred @ centred.T if by_points else centred.T @ centred)
    energies, vectors = energies.flip(0), vectors.flip(1)
    count = min(count, int((energies > ROUNDING * energies[0]).sum()))
    if count == 0 or float(energies[0]) <= 0:
        raise LatentError("The activations of this generator do not depend on z.")
    kept = vectors[:, :count]
    places = kept * energies[:count].sqrt() if by_points else centred @ kept
    return places, energies[:count] / energies.clamp_min(0).sum()


def enough_points(z_dim: int) -> int:
    """How many points show the components of latent points of so many numbers."""
    return min(max(MIN_POINTS, POINTS_PER_NUMBER * z_dim), MAX_POINTS)


def require_count(count: int, z_dim: int) -> None:
    """Refuse a number of directions that there are not.

    Raises:
        LatentError: it is not 1 to z_dim.
    """
    if not 1 <= count <= z_dim:
        raise LatentError(f"Asked for {count} directions of {z_dim}: use 1 to {z_dim}.")
