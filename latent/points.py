"""Latent points: draw them at random, and read their labels and seeds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from latent.errors import LatentError

# Only ASCII digits count, so that no two texts that look different mean the same point.
_SEED = re.compile(r"seed:([0-9]{1,19})")
_SEEDS = re.compile(r"seed:([0-9]{1,19})-([0-9]{1,19})")
MAX_SEEDS = 1_000  # The most points that one text may name.
_LABEL = re.compile(r"([0-9]{1,15})\.([0-9]{1,9})")

# Takes float [z_dim] ~ N(0, I) to the distribution that a generator was trained with.
Shape = Callable[[Tensor], Tensor]


def keep_normal(z: Tensor) -> Tensor:
    """Leave float [z_dim] as it is, for a generator that was trained with N(0, I)."""
    return z


@dataclass(frozen=True, eq=False)
class LatentPoint:
    """A place in latent space, and what people call it.

    Args:
        label: such as `16500.28` or `seed:7`.
        z: float32 [z_dim], on the CPU.
    """

    label: str
    z: Tensor


def seeded_point(seed: int, z_dim: int, shape: Shape = keep_normal) -> LatentPoint:
    """The point `seed:N`: torch.randn(z_dim) from a CPU generator with that seed.

    Args:
        seed: 0..2^63 - 1.
        z_dim: numbers in the latent vector.
        shape: for a generator of another distribution, that of what was drawn.

    Example:
        >>> point = seeded_point(123, 100)
        >>> point.label, point.z.shape
        ('seed:123', torch.Size([100]))
    """
    generator = torch.Generator().manual_seed(seed)
    return LatentPoint(f"seed:{seed}", shape(torch.randn(z_dim, generator=generator)))


def parse_seed(text: str) -> int | None:
    """The number in `seed:123`; None where the text is something else.

    Raises:
        LatentError: the number is 2^63 or more, which no generator takes.
    """
    match = _SEED.fullmatch(text)
    if match is None:
        return None
    seed = int(match[1])
    if seed >= 1 << 63:
        raise LatentError(f"The seed in '{text}' is too large: use one below 2^63.")
    return seed


def parse_seeds(text: str) -> range | None:
    """The numbers in `seed:1-9`, with both ends; None where the text is something else.

    Raises:
        LatentError: the range goes backwards, is longer than MAX_SEEDS, or reaches 2^63.

    Example:
        >>> parse_seeds("seed:1-9")
        range(1, 10)
    """
    match = _SEEDS.fullmatch(text)
    if match is None:
        return None
    first, last = (parse_seed(f"seed:{number}") or 0 for number in match.groups())
    if not first <= last < first + MAX_SEEDS:
        raise LatentError(
            f"'{text}' is no range of seeds: use up to {MAX_SEEDS:,}, the smaller number first, "
            "such as seed:1-9."
        )
    return range(first, last + 1)


def parse_label(text: str) -> tuple[int, int] | None:
    """(batch, index) of a specimen's label such as `16500.28`; None for anything else."""
    match = _LABEL.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def draw_z(count: int, z_dim: int, seed: int, shape: Shape = keep_normal) -> Tensor:
    """Draw latent points that need no labels, the same ones for the same count and seed.

    Args:
        shape: makes them points of another distribution; see `GeneratorSpec.shape_z`.

    Returns:
        float32 [count, z_dim].
    """
    return shape(torch.randn(count, z_dim, generator=torch.Generator().manual_seed(seed)))


def sample_points(
    batch: int, indices: range, z_dim: int, seed: int = 0, shape: Shape = keep_normal
) -> list[LatentPoint]:
    """Draw latent points `BATCH.INDEX` ~ N(0, I), the same ones whenever they are asked for.

    Each has a stream of random numbers of its own, so point 28 does not depend on how many
    points were asked for.

    Args:
        indices: which points of the batch, such as `range(64)`.
        seed: another seed draws other points.
        shape: for a generator of another distribution, that of what was drawn.
    """
    return [sample_point(batch, index, z_dim, seed, shape) for index in indices]


def sample_point(
    batch: int, index: int, z_dim: int, seed: int = 0, shape: Shape = keep_normal
) -> LatentPoint:
    """Draw the latent point `BATCH.INDEX`; see `sample_points`."""
    stream = torch.Generator().manual_seed(mix_seeds(seed, batch, index))
    return LatentPoint(f"{batch}.{index}", shape(torch.randn(z_dim, generator=stream)))


def mix_seeds(*numbers: int) -> int:
    """One 63-bit seed of several numbers (the finaliser of splitmix64, Steele et al. 2014)."""
    mixed = 0
    for number in numbers:
        mixed = (mixed ^ number) + 0x9E3779B97F4A7C15 & (1 << 64) - 1
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & (1 << 64) - 1
        mixed ^= mixed >> 31
    return mixed >> 1
