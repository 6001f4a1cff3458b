"""Trajectories that need no second point: circles, and noise that drifts from city to city."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from latent.errors import LatentError, TooFewFramesError

PARALLEL = 1e-6  # A vector of which less than this share is new spans no plane with others.


def circle(
    point: Tensor, num_frames: int, *, toward: Tensor | None = None, seed: int = 0
) -> Tensor:
    """Go once around the origin, from the point and back to it, at one speed and one length.

    Halfway lies -point, a quarter of the way the direction of `toward`.

    Args:
        point: float32 [z_dim], two numbers or more.
        num_frames: the first is the point, the last just before it.
        toward: float32 [z_dim], spans the plane with point; drawn with seed if None.
        seed: draws `toward`.

    Returns:
        float32 [num_frames, z_dim].

    Raises:
        TooFewFramesError: no frames.
        LatentError: the two do not span a plane.
    """
    turn = _turn(num_frames)
    across = _draw(point, seed, 1)[0] if toward is None else toward
    ahead, aside = _orthonormal(point, across)
    path = turn.cos() * ahead + turn.sin() * aside
    return torch.mul(point.norm(), path).float()


def orbit(
    point: Tensor,
    num_frames: int,
    *,
    angle_deg: float = 20.0,
    plane: tuple[Tensor, Tensor] | None = None,
    seed: int = 0,
) -> Tensor:
    """Go once around a point, always at the same angle from it, at one speed and one length.

    Args:
        point: float32 [z_dim], three numbers or more; no frame shows it.
        num_frames: the last is just before the first.
        angle_deg: above 0 up to 90; 20 is near by, independent Gaussian points are at 90.
        plane: two directions, float32 [z_dim], to lean towards; drawn with seed if None.
        seed: draws `plane`.

    Returns:
        float32 [num_frames, z_dim].

    Raises:
        TooFewFramesError: no frames.
        LatentError: an angle out of range, or directions that span no plane.
    """
    if not 0 < angle_deg <= 90:
        raise LatentError(f"An angle of {angle_deg:g} degrees is out of range: use up to 90.")
    turn, angle = _turn(num_frames), math.radians(angle_deg)
    center, ahead, aside = _orthonormal(point, *(plane or _draw(point, seed, 2)))
    path = turn.cos() * ahead + turn.sin() * aside
    leaning = math.cos(angle) * center + math.sin(angle) * path
    return torch.mul(point.norm(), leaning).float()


def noise_path(
    z_dim: int, num_frames: int, *, segments: float = 8, loop: bool = False, seed: int = 0
) -> Tensor:
    """Drift smoothly through latent space, distributed as N(0, I) at every frame.

    Each coordinate is a random Fourier series of equal powers (Rice 1944, section 1.7), so it is
    Gaussian and stationary, and none of its derivatives ever jumps.

    Args:
        segments: about as far as this many great circles from one random point to the next.
        loop: come back to the first frame, the last being just before it.
        seed: the same seed draws the same path.

    Returns:
        float32 [num_frames, z_dim].

    Raises:
        TooFewFramesError: no frames.
        LatentError: segments out of range.
    """
    # An open path is the first half of a loop of twice the length.
    turn = _turn(num_frames) if loop else _turn(2 * num_frames)[:num_frames]
    if not 1 <= segments <= num_frames:
        raise LatentError(
            f"{segments:g} segments in {num_frames} frames are out of range: use 1 to {num_frames}."
        )
    harmonics = _count_harmonics(segments if loop else 2 * segments)
    angles = turn * torch.arange(1, harmonics + 1)  # Shape [num_frames, harmonics].
    waves = torch.cat([angles.cos(), angles.sin()], dim=1) / math.sqrt(harmonics)
    return (waves @ _draw(torch.empty(z_dim), seed, 2 * harmonics).double()).float()


def _count_harmonics(segments: float) -> int:
    """The number of harmonics with which a closed series goes as far as so many quarter circles.

    Its mean speed is 2 pi sqrt(mean k^2) times its length, with mean k^2 = (K+1)(2K+1)/6.
    """
    return max(1, math.ceil((math.sqrt(1 + 3 * segments**2) - 3) / 4))


def _turn(num_frames: int) -> Tensor:
    """Angles of a full turn in radians, without the last, float64 [num_frames, 1]."""
    if num_frames < 1:
        raise TooFewFramesError(f"A path of {num_frames} frames shows nothing: use one or more.")
    return torch.arange(num_frames, dtype=torch.float64)[:, None] * (2 * math.pi / num_frames)


def _draw(like: Tensor, seed: int, count: int) -> Tensor:
    """Gaussian directions, float32 [count, z_dim], the same ones for the same seed."""
    return torch.randn(count, len(like), generator=torch.Generator().manual_seed(seed))


def _orthonormal(*vectors: Tensor) -> list[Tensor]:
    """Make each vector a unit, perpendicular to those before (Gram-Schmidt)."""
    axes: list[Tensor] = []
    for vector in vectors:
        rest = vector.double()
        for axis in axes:
            rest = rest - (axis @ rest) * axis
        if rest.norm() <= PARALLEL * vector.norm():
            raise LatentError(
                "These directions span no circle: one is zero or lies along the others. "
                "Choose other points."
            )
        axes.append(rest / rest.norm())
    return axes
