"""Differentiable augmentation of what a discriminator sees (DiffAugment, Zhao et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from studio.runs.config import augmentation_names

CHANCES_EACH = 4  # numbers drawn for a picture and an augmentation: whether, and up to three how
ADA_PICTURES = 500_000  # real ones in which p can go from 0 to 1 (Karras et al. 2020a, section 3.1)


def augment(pictures: Tensor, policy: str, chances: Tensor, p: float = 1.0) -> Tensor:
    """Change pictures, each in its own way, so that gradients still reach them.

    Real and generated pictures must both go through it, or G learns to draw the changes.

    Args:
        pictures: float [N, 3, H, W] in -1..1.
        policy: names from `AUGMENTATIONS` with commas between; "" changes nothing.
        chances: [N, AUGMENT_CHANCES], uniform in 0..1, decides on the changes.
        p: how likely each change is made at all.

    Returns:
        float [N, 3, H, W].
    """
    own = dict(zip(AUGMENTATIONS, chances.split(CHANCES_EACH, dim=1), strict=True))
    for name in augmentation_names(policy) if p > 0 else ():
        changed = AUGMENTATIONS[name](pictures, own[name][:, 1:])
        happens = own[name][:, :1, None, None] < p
        pictures = changed if p >= 1 else torch.where(happens, changed, pictures)
    return pictures


def adapt(p: float, surety: float, target: float, pictures: int) -> float:
    """ADA's next p: it grows while D is surer of real pictures than it should be.

    Karras et al. 2020a, section 3.1, with a look at every batch rather than at every fourth.

    Args:
        surety: mean sign of D's logits on real pictures, -1..1; it nears 1 as D overfits.
        target: the surety that p is steered to.
        pictures: real ones that D has seen since the last change.
    """
    if surety == target:
        return p
    return min(1.0, max(0.0, p + math.copysign(pictures / ADA_PICTURES, surety - target)))


def color(pictures: Tensor, chances: Tensor) -> Tensor:
    """Shift brightness by up to 0.5, scale saturation by 0..2 and contrast by 0.5..1.5."""
    brightness, saturation, contrast = chances.T[..., None, None, None]  # each [N111]
    pictures = pictures + (brightness - 0.5)
    grey = pictures.mean(dim=1, keepdim=True)
    pictures = grey + (pictures - grey) * (saturation * 2)
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (pictures - mean) * (contrast + 0.5)


def translation(pictures: Tensor, chances: Tensor) -> Tensor:
    """Move by up to an eighth of the size, filling with zeros."""
    N, _, H, W = pictures.shape
    down, right = offsets(chances[:, :1], H // 8), offsets(chances[:, 1:2], W // 8)
    padded = F.pad(pictures, (1, 1, 1, 1)).permute(0, 2, 3, 1)  # [NHWC], for whole pixels
    rows = (torch.arange(1, H + 1, device=pictures.device) + down).clamp(0, H + 1)  # [NH]
    columns = (torch.arange(1, W + 1, device=pictures.device) + right).clamp(0, W + 1)  # [NW]
    picture = torch.arange(N, device=pictures.device).view(N, 1, 1)
    return padded[picture, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(pictures: Tensor, chances: Tensor) -> Tensor:
    """Blank a square of half the size, anywhere, the edges included."""
    _, _, H, W = pictures.shape
    rows, columns = (torch.arange(size, device=pictures.device) for size in (H, W))
    middle_row = H // 2 + offsets(chances[:, :1], H // 2)  # [N1]
    middle_column = W // 2 + offsets(chances[:, 1:2], W // 2)
    in_rows = (rows - middle_row).abs() <= H // 4  # [NH]
    in_columns = (columns - middle_column).abs() <= W // 4  # [NW]
    return pictures.masked_fill(in_rows[:, None, :, None] & in_columns[:, None, None, :], 0.0)


def offsets(chances: Tensor, most: int) -> Tensor:
    """Whole numbers from -most to most, int64, as likely as each other."""
    return (chances * (2 * most + 1)).long().clamp(max=2 * most) - most


AUGMENTATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}
AUGMENT_CHANCES = CHANCES_EACH * len(AUGMENTATIONS)
