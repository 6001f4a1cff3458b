"""Interpolate between two latent points: along a line, or along a great circle."""

from __future__ import annotations

import torch
from torch import Tensor

PARALLEL = 1e-6  # Below so many radians the great circle is not defined numerically.


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Follow the straight line from a to b.

    Args:
        a, b: float32 [z_dim].
        t: float32 [num_frames], 0..1.

    Returns:
        float32 [num_frames, z_dim].
    """
    return a + (b - a) * t[:, None]


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Follow the great circle from a to b, keeping to Gaussian-typical lengths (Shoemake 1985).

    The direction turns at a constant rate and the length goes evenly from |a| to |b|, so every
    point between is as likely under N(0, I) as the two ends (White 2016).

    Args:
        a, b: float32 [z_dim].
        t: float32 [num_frames], 0..1.

    Returns:
        float32 [num_frames, z_dim]. Where a and b point the same way, or exactly apart, or one
        has no direction, the straight line.

    Example:
        >>> slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([0.5]))
        tensor([[0.7071, 0.7071]])
    """
    length_a, length_b = a.norm(), b.norm()
    if length_a == 0 or length_b == 0:
        return lerp(a, b, t)
    angle = torch.arccos(torch.clamp(torch.dot(a / length_a, b / length_b), -1, 1))
    if angle < PARALLEL or torch.pi - angle < PARALLEL:
        return lerp(a, b, t)
    toward_a = torch.sin((1 - t) * angle) / torch.sin(angle)
    toward_b = torch.sin(t * angle) / torch.sin(angle)
    directions = toward_a[:, None] * (a / length_a) + toward_b[:, None] * (b / length_b)
    lengths = length_a + (length_b - length_a) * t
    return torch.mul(directions, lengths[:, None])
