"""Walks that stay near a point."""

from __future__ import annotations

import math

from torch import Tensor

from latent.errors import LatentError
from latent.trajectories import noise_path

MAX_RADIUS = math.sqrt(2)  # So far apart are independent points of N(0, I).


def walk_near(
    point: Tensor, num_frames: int, radius: float, *, segments: float = 8, seed: int = 0
) -> Tensor:
    """Stroll around a point, out of it and back to it, never further than a radius.

    A smooth noise (`latent.trajectories.noise_path`) says in which direction and how far, along
    great circles from the point, so all points are as long as it is. The furthest one is just at
    the radius.

    Args:
        point: float32 [z_dim], two numbers or more.
        num_frames: the first is the point, the last just before it.
        radius: the distance in standard deviations of N(0, I), as a root mean square over the
            numbers; above 0 up to MAX_RADIUS, which is where any other city is.
        segments, seed: see `noise_path`.

    Returns:
        float32 [num_frames, z_dim].

    Raises:
        TooFewFramesError: no frames.
        LatentError: a radius or segments out of range, or a point without a direction.
    """
    if not 0 < radius <= MAX_RADIUS:
        raise LatentError(
            f"A radius of {radius:g} is out of range: use more than 0, up to {MAX_RADIUS:.4g}."
        )
    length = float(point.norm())
    if len(point) < 2 or length == 0:
        raise LatentError("Nothing lies around this point: it has no length, or only one number.")
    path = noise_path(len(point), num_frames, segments=segments, loop=True, seed=seed).double()
    center = point.double() / length
    steps = path - path[0]
    steps = steps - (steps @ center)[:, None] * center
    far = steps.norm(dim=1, keepdim=True)
    widest = 2 * math.asin(min(1.0, radius * math.sqrt(len(point)) / (2 * length)))
    angle = far / far.max().clamp_min(1e-12) * widest
    aside = steps / far.clamp_min(1e-12)
    walk: Tensor = (length * (angle.cos() * center + angle.sin() * aside)).float()
    walk[0] = point
    return walk
