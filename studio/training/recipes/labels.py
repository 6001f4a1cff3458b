"""What D is told about each picture: real or not, softly, noisily, or now and then wrongly."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from studio.runs.config import TrainingConfig

LABEL_CHANCES = 4  # numbers drawn for a pair: the noise of both labels, and whether they flip

Number = TypeVar("Number", float, Tensor)


def draw_labels(config: TrainingConfig, chances: Tensor) -> tuple[Tensor, Tensor]:
    """The labels of real and of generated pictures, each [N]: how far they count as real.

    Args:
        chances: [N, LABEL_CHANCES], uniform in 0..1.
    """
    real_noise, fake_noise, real_flip, fake_flip = chances.unbind(1)
    real, fake = noisy_labels(config, real_noise, fake_noise)
    return (
        torch.where(real_flip < config.label_flips, fake, real),
        torch.where(fake_flip < config.label_flips, real, fake),
    )


def mean_labels(config: TrainingConfig) -> tuple[float, float]:
    """What the labels of real and of generated pictures are on average."""
    real, fake = noisy_labels(config, 0.5, 0.5)
    flips = config.label_flips
    return (1 - flips) * real + flips * fake, (1 - flips) * fake + flips * real


def noisy_labels(
    config: TrainingConfig, real_noise: Number, fake_noise: Number
) -> tuple[Number, Number]:
    """Labels that noise in 0..1 has moved towards 0.5, and never beyond.

    Real ones start at 1 minus the smoothing, generated ones at 0 (one-sided: Salimans et al. 2016,
    section 3.4). Smoothing is about cross entropy; the other losses start at 1.
    """
    smoothing = config.label_smoothing if config.loss == "non_saturating" else 0.0
    return (
        1 - smoothing - min(config.label_noise, 0.5 - smoothing) * real_noise,
        config.label_noise * fake_noise,
    )
