"""How near enlarged pictures are to the true ones: PSNR and SSIM of their luma."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Luma of RGB levels 0..255 by ITU-R BT.601 with head room, as MATLAB's rgb2ycbcr has it; papers on
# super-resolution compare by it.
LUMA_OFFSET, LUMA_WEIGHTS = 16.0, (65.481, 128.553, 24.966)
PEAK = 255.0
MAX_DB = 100.0  # The PSNR of equal pictures, which would be infinite.
WINDOW_PX, WINDOW_SIGMA = 11, 1.5  # Wang et al. 2004, section III.
K1, K2 = 0.01, 0.03


def measure_restoration(
    made: np.ndarray, truths: np.ndarray, border_px: int
) -> tuple[float, float]:
    """The means of PSNR in dB and of SSIM over pictures.

    Args:
        made, truths: uint8 [N, H, W, 3].
        border_px: pixels at each side that are left out, as papers leave out as many as the scale.
    """
    one, other = (to_luma(crop_border(pictures, border_px)) for pictures in (made, truths))
    squares = (one - other).square().mean(dim=(1, 2))
    ratios = [min(MAX_DB, psnr_of(square)) for square in squares.tolist()]
    return sum(ratios) / len(ratios), float(ssim(one, other).mean())


def psnr_of(mean_square: float) -> float:
    """The peak signal-to-noise ratio in dB of a mean square error of levels 0..255.

    Example:
        >>> psnr_of(255.0**2 / 100)
        20.0
    """
    return 10 * math.log10(PEAK**2 / mean_square) if mean_square else math.inf


def crop_border(pictures: np.ndarray, border_px: int) -> np.ndarray:
    """Pictures [N, H, W, 3] without so many pixels at each side."""
    inner = slice(border_px, -border_px or None)
    return pictures[:, inner, inner]


def to_luma(pictures: np.ndarray) -> Tensor:
    """Luma of uint8 [N, H, W, 3]: float64 [N, H, W] in 16..235."""
    weights = torch.tensor(LUMA_WEIGHTS, dtype=torch.float64) / PEAK
    return LUMA_OFFSET + torch.from_numpy(np.ascontiguousarray(pictures)).double() @ weights


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """The structural similarity of pictures, by windows that lie within them (Wang et al. 2004).

    Args:
        one, other: float64 [N, H, W] in 0..255, at least 11 px wide and high.

    Returns:
        float64 [N], 1 for equal ones.
    """
    mean_one, mean_other = blur_windows(one), blur_windows(other)
    variance_one = blur_windows(one * one) - mean_one**2
    variance_other = blur_windows(other * other) - mean_other**2
    covariance = blur_windows(one * other) - mean_one * mean_other
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    likeness = (2 * mean_one * mean_other + c1) * (2 * covariance + c2)
    size = (mean_one**2 + mean_other**2 + c1) * (variance_one + variance_other + c2)
    return (likeness / size).mean(dim=(1, 2))


def blur_windows(pictures: Tensor) -> Tensor:
    """Means over Gaussian windows that lie within pictures: [N, H, W] -> [N, H - 10, W - 10]."""
    places = torch.arange(WINDOW_PX, dtype=pictures.dtype) - WINDOW_PX // 2
    weights = torch.exp(-(places**2) / (2 * WINDOW_SIGMA**2))
    weights = weights / weights.sum()
    rows = F.conv2d(pictures[:, None], weights.view(1, 1, -1, 1))
    return F.conv2d(rows, weights.view(1, 1, 1, -1))[:, 0]
