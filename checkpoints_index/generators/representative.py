"""Latent points like those that a generator is trained on, whatever they are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from checkpoints_index.generators.spec import GeneratorSpec

DISCS = 24  # Discs in a made-up picture.


def representative_z(spec: GeneratorSpec, count: int, seed: int) -> Tensor:
    """Points for looking at a generator where no particular ones are asked for.

    They are drawn from its distribution. Where points are pictures, which nothing draws, they are
    made-up ones: discs of random colours that hide each other ("dead leaves", Lee et al. 2001),
    which have edges and flat places as often as photographs have.

    Returns:
        float32 [count, z_dim], the same for the same count and seed.
    """
    rng = torch.Generator().manual_seed(seed)
    if spec.can_draw:
        return spec.shape_z(torch.randn(count, spec.z_dim, generator=rng))
    channels = 3 if spec.z_dim % 3 == 0 and _is_square(spec.z_dim // 3) else 1
    size = math.isqrt(spec.z_dim // channels)
    if channels * size**2 != spec.z_dim:  # It is no picture that we know: numbers in its range.
        return torch.rand(count, spec.z_dim, generator=rng) * 2 - 1
    return draw_leaves(count, channels, size, rng).flatten(1)


def draw_leaves(count: int, channels: int, size: int, rng: torch.Generator) -> Tensor:
    """Pictures of discs that hide each other: float32 [count, channels, size, size] in -1..1."""
    place = (torch.arange(size) + 0.5) / size
    rows, columns = place[:, None], place[None, :]
    pictures = torch.rand(count, channels, 1, 1, generator=rng).expand(-1, -1, size, size)
    for _ in range(DISCS):
        top, left, draw = torch.rand(3, count, 1, 1, generator=rng)
        # Areas whose logarithm is uniform look alike at every scale.
        radius = 0.03 * (0.5 / 0.03) ** draw
        inside = ((rows - top) ** 2 + (columns - left) ** 2 < radius**2)[:, None]  # [N1SS]
        colours = torch.rand(count, channels, 1, 1, generator=rng)
        pictures = torch.where(inside, colours, pictures)
    return pictures * 2 - 1


def _is_square(number: int) -> bool:
    return math.isqrt(number) ** 2 == number
