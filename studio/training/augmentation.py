"""Differentiable augmentation of what a discriminator sees (DiffAugment, Zhao et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from studio.training.config import augmentation_names


def augment(pictures: Tensor, policy: str, rng: Generator) -> Tensor:
    """Change pictures at random, each in its own way, so that gradients still reach them.

    Real and generated pictures must both go through it, or G learns to draw the changes.

    Args:
        pictures: float [N, 3, H, W] in -1..1.
        policy: names from `AUGMENTATIONS` with commas between; "" changes nothing.
        rng: draws the changes, on the device of the pictures.

    Returns:
        float [N, 3, H, W].
    """
    for name in augmentation_names(policy):
        pictures = AUGMENTATIONS[name](pictures, rng)
    return pictures


def color(pictures: Tensor, rng: Generator) -> Tensor:
    """Shift brightness by up to 0.5, scale saturation by 0..2 and contrast by 0.5..1.5."""
    shape = (3, len(pictures), 1, 1, 1)
    brightness, saturation, contrast = torch.rand(shape, generator=rng, device=pictures.device)
    pictures = pictures + (brightness - 0.5)
    grey = pictures.mean(dim=1, keepdim=True)
    pictures = grey + (pictures - grey) * (saturation * 2)
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (pictures - mean) * (contrast + 0.5)


def translation(pictures: Tensor, rng: Generator) -> Tensor:
    """Move by up to an eighth of the size, filling with zeros."""
    N, _, H, W = pictures.shape
    down, right = random_offsets(pictures, H // 8, rng), random_offsets(pictures, W // 8, rng)
    padded = F.pad(pictures, (1, 1, 1, 1)).permute(0, 2, 3, 1)  # [NHWC], for whole pixels
    rows = (torch.arange(1, H + 1, device=pictures.device) + down).clamp(0, H + 1)  # [NH]
    columns = (torch.arange(1, W + 1, device=pictures.device) + right).clamp(0, W + 1)  # [NW]
    picture = torch.arange(N, device=pictures.device).view(N, 1, 1)
    return padded[picture, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(pictures: Tensor, rng: Generator) -> Tensor:
    """Blank a square of half the size, anywhere, the edges included."""
    _, _, H, W = pictures.shape
    rows, columns = (torch.arange(size, device=pictures.device) for size in (H, W))
    middle_row = H // 2 + random_offsets(pictures, H // 2, rng)  # [N1]
    middle_column = W // 2 + random_offsets(pictures, W // 2, rng)
    in_rows = (rows - middle_row).abs() <= H // 4  # [NH]
    in_columns = (columns - middle_column).abs() <= W // 4  # [NW]
    return pictures.masked_fill(in_rows[:, None, :, None] & in_columns[:, None, None, :], 0.0)


def random_offsets(pictures: Tensor, most: int, rng: Generator) -> Tensor:
    """Whole numbers from -most to most, one a picture: int64 [N, 1]."""
    shape = (len(pictures), 1)
    return torch.randint(-most, most + 1, shape, generator=rng, device=pictures.device)


AUGMENTATIONS: dict[str, Callable[[Tensor, Generator], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}
