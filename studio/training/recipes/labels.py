"""The labels that D learns from: soft, noisy, and now and then the wrong ones."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from studio.runs.config import TrainingConfig

# Random numbers for one pair of pictures: the noise of both labels, and whether they flip.
LABEL_DRAWS = 4

Number = TypeVar("Number", float, Tensor)


def draw_labels(config: TrainingConfig, draws: Tensor) -> tuple[Tensor, Tensor]:
    """The labels of real and of generated pictures, each float [N]: 1 is real, 0 is generated.

    Args:
        draws: float [N, LABEL_DRAWS], uniform in 0..1.
    """
    real_noise, fake_noise, real_flip, fake_flip = draws.unbind(1)
    real, fake = noisy_labels(config, real_noise, fake_noise)
    return (
        torch.where(real_flip < config.label_flips, fake, real),
        torch.where(fake_flip < config.label_flips, real, fake),
    )


def mean_labels(config: TrainingConfig) -> tuple[float, float]:
    """The means of the labels of real and of generated pictures, each 0..1."""
    real, fake = noisy_labels(config, 0.5, 0.5)
    flips = config.label_flips
    return (1 - flips) * real + flips * fake, (1 - flips) * fake + flips * real


def noisy_labels(
    config: TrainingConfig, real_noise: Number, fake_noise: Number
) -> tuple[Number, Number]:
    """Labels that noise has moved towards 0.5, and never beyond it.

    Real labels start at 1 minus the smoothing, generated ones at 0 (one-sided smoothing: Salimans
    et al. 2016, section 3.4). Smoothing belongs to cross entropy; other losses start at 1.

    Args:
        real_noise, fake_noise: numbers or float [N], 0..1.
    """
    smoothing = config.label_smoothing if config.loss == "non_saturating" else 0.0
    return (
        1 - smoothing - min(config.label_noise, 0.5 - smoothing) * real_noise,
        config.label_noise * fake_noise,
    )
