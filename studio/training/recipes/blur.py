"""A blur that fades: layout first, edges later."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHARP_PX = 0.3  # below this the kernel is a single pixel


def blur(pictures: Tensor, sigma_px: float) -> Tensor:
    """Blur square pictures [N, C, S, S] by a Gaussian, mirrored at the edges."""
    if sigma_px < SHARP_PX:
        return pictures
    rows = blur_matrix(pictures.shape[-1], sigma_px).to(pictures)
    return rows @ pictures.contiguous() @ rows.T


def blur_matrix(size: int, sigma_px: float) -> Tensor:
    """float [size, size] that blurs a column of pixels; faster on a CPU than a convolution."""
    radius = round(2.5 * sigma_px)
    offsets = torch.arange(-radius, radius + 1.0)
    kernel = torch.exp(-(offsets**2) / (2 * sigma_px**2))
    mirrored = F.pad(torch.eye(size)[:, None], (radius, radius), mode="reflect")  # [S1P]
    return F.conv1d(mirrored, (kernel / kernel.sum())[None, None])[:, 0].T


def fading_sigma(sigma_px: float, batch: int, fade_batches: int) -> float:
    """The blur of a batch: from sigma_px at batch 0 in a straight line to none.

    As long as D sees no edges, it cannot win by them alone, and G learns where streets and parks
    lie first (as StyleGAN3 begins its training, Karras et al. 2021).
    """
    return sigma_px * max(0.0, 1 - batch / fade_batches)
