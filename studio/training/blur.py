"""A blur that fades: layout first, edges later."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHARP_PX = 0.3  # below this the kernel is a single pixel


def blur(pictures: Tensor, sigma_px: float) -> Tensor:
    """Blur pictures [N, C, H, W] by a Gaussian, mirrored at the edges."""
    if sigma_px < SHARP_PX:
        return pictures
    radius = round(2.5 * sigma_px)
    offsets = torch.arange(-radius, radius + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * sigma_px**2))
    C = pictures.shape[1]
    kernel = (kernel / kernel.sum()).expand(C, 1, 1, -1)  # [C11K]
    padded = F.pad(pictures, (radius,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel, groups=C), kernel.mT, groups=C)


def fading_sigma(sigma_px: float, batch: int, fade_batches: int) -> float:
    """The blur of a batch: from sigma_px at batch 0 in a straight line to none.

    As long as D sees no edges, it cannot win by them alone, and G learns where streets and parks
    lie first (as StyleGAN3 begins its training, Karras et al. 2021).
    """
    return sigma_px * max(0.0, 1 - batch / fade_batches)
