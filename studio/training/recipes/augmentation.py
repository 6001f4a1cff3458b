"""Differentiable augmentation of the pictures that D sees (DiffAugment, Zhao et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from studio.runs.config import augmentation_names

# Random numbers for one picture and one augmentation: one decides whether, three decide how.
DRAWS_EACH = 4
# Real pictures in which p can go from 0 to 1 (Karras et al. 2020a, section 3.1).
ADA_PICTURES = 500_000


def augment(pictures: Tensor, policy: str, draws: Tensor, p: float = 1.0) -> Tensor:
    """Change each picture in its own random way, such that gradients still reach it.

    Real and generated pictures must both be augmented, or G learns to draw the changes.

    Args:
        pictures: float [N, 3, H, W] in -1..1.
        policy: names of AUGMENTATIONS with commas between; "" changes nothing.
        draws: float [N, AUGMENT_DRAWS], uniform in 0..1, which decide on the changes.
        p: the probability of each change, 0..1.

    Returns:
        float [N, 3, H, W].
    """
    split = torch.split(draws, DRAWS_EACH, dim=1)
    own = dict(zip(AUGMENTATIONS, split, strict=True))
    for name in augmentation_names(policy) if p > 0 else ():
        changed = AUGMENTATIONS[name](pictures, own[name][:, 1:])
        happens = own[name][:, :1, None, None] < p
        pictures = changed if p >= 1 else torch.where(happens, changed, pictures)
    return pictures


def adapt_p(p: float, r_t: float, target: float, pictures: int) -> float:
    """ADA's next p: it grows while D overfits, which is while r_t is above its target.

    Karras et al. 2020a, section 3.1, but adapted at every batch rather than at every fourth.

    Args:
        p: the probability of augmentation so far, 0..1.
        r_t: the mean sign of D's logits on real pictures, -1..1; it nears 1 as D overfits.
        target: the r_t that p is steered to.
        pictures: real pictures that D has seen since p was last adapted.
    """
    if r_t == target:
        return p
    return min(1.0, max(0.0, p + math.copysign(pictures / ADA_PICTURES, r_t - target)))


def color(pictures: Tensor, draws: Tensor) -> Tensor:
    """Shift brightness by up to 0.5, scale saturation by 0..2 and contrast by 0.5..1.5.

    Args:
        pictures: float [N, 3, H, W] in -1..1.
        draws: float [N, 3], 0..1.
    """
    brightness, saturation, contrast = draws.T[..., None, None, None]  # each [N111]
    pictures = pictures + (brightness - 0.5)
    grey = pictures.mean(dim=1, keepdim=True)
    pictures = grey + (pictures - grey) * (saturation * 2)
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    changed: Tensor = mean + (pictures - mean) * (contrast + 0.5)
    return changed


def translation(pictures: Tensor, draws: Tensor) -> Tensor:
    """Move by whole pixels, up to an eighth of the size, and fill with zeros.

    Args:
        pictures: float [N, 3, H, W].
        draws: float [N, 2 or more], 0..1.
    """
    N, _, H, W = pictures.shape
    down, right = draw_offsets(draws[:, :1], H // 8), draw_offsets(draws[:, 1:2], W // 8)
    padded = F.pad(pictures, (1, 1, 1, 1)).permute(0, 2, 3, 1)  # [NHWC], for whole pixels
    rows = (torch.arange(1, H + 1, device=pictures.device) + down).clamp(0, H + 1)  # [NH]
    columns = (torch.arange(1, W + 1, device=pictures.device) + right).clamp(0, W + 1)  # [NW]
    picture = torch.arange(N, device=pictures.device).view(N, 1, 1)
    return padded[picture, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(pictures: Tensor, draws: Tensor) -> Tensor:
    """Blank a square of half the size around any pixel, those at the edges included.

    Args:
        pictures: float [N, 3, H, W].
        draws: float [N, 2 or more], 0..1.
    """
    _, _, H, W = pictures.shape
    rows, columns = (torch.arange(size, device=pictures.device) for size in (H, W))
    middle_row = H // 2 + draw_offsets(draws[:, :1], H // 2)  # [N1]
    middle_column = W // 2 + draw_offsets(draws[:, 1:2], W // 2)
    in_rows = (rows - middle_row).abs() <= H // 4  # [NH]
    in_columns = (columns - middle_column).abs() <= W // 4  # [NW]
    return pictures.masked_fill(in_rows[:, None, :, None] & in_columns[:, None, None, :], 0.0)


def draw_offsets(draws: Tensor, limit: int) -> Tensor:
    """Whole numbers from -limit to limit, each as likely, from draws [...] in 0..1: int64 [...]."""
    offsets: Tensor = (draws * (2 * limit + 1)).long()
    return offsets.clamp(max=2 * limit) - limit


AUGMENTATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}
AUGMENT_DRAWS = DRAWS_EACH * len(AUGMENTATIONS)
