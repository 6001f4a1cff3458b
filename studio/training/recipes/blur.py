"""A blur of all that D sees, which fades over the first batches: layout first, edges later."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHARP_PX = 0.3  # Below this sigma the kernel is a single pixel.


def blur(pictures: Tensor, sigma_px: float) -> Tensor:
    """Blur square pictures by a Gaussian, mirrored at the edges.

    Args:
        pictures: float [N, C, S, S].
        sigma_px: the deviation of the Gaussian; below SHARP_PX the pictures are returned.

    Returns:
        float [N, C, S, S].
    """
    if sigma_px < SHARP_PX:
        return pictures
    rows = blur_matrix(pictures.shape[-1], sigma_px).to(pictures)
    return rows @ pictures.contiguous() @ rows.T


def blur_matrix(size: int, sigma_px: float) -> Tensor:
    """A matrix that blurs a column of pixels: float [size, size].

    On a CPU two products with it are faster than a convolution.
    """
    radius = round(2.5 * sigma_px)
    offsets = torch.arange(-radius, radius + 1.0)
    kernel = torch.exp(-(offsets**2) / (2 * sigma_px**2))
    mirrored = F.pad(torch.eye(size)[:, None], (radius, radius), mode="reflect")  # [S1P]
    return F.conv1d(mirrored, (kernel / kernel.sum())[None, None])[:, 0].T


def fading_sigma(sigma_px: float, batch: int, fade_batches: int) -> float:
    """The blur of a batch in px: sigma_px at batch 0, and a straight line to 0 at fade_batches.

    As long as D sees no edges, it cannot win by edges alone, and G learns first where streets and
    parks lie; StyleGAN3 begins its training in this way (Karras et al. 2021).

    Example:
        >>> fading_sigma(4.0, batch=250, fade_batches=500)
        2.0
    """
    return sigma_px * max(0.0, 1 - batch / fade_batches)
