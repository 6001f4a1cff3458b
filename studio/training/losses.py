"""What D and G are told about D's logits."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from studio.training.config import TrainingConfig


class Loss(Protocol):
    """Each takes logits [N] and returns a scalar to make small."""

    def d_real(self, logits: Tensor) -> Tensor:
        """How badly D judges real pictures."""

    def d_fake(self, logits: Tensor) -> Tensor:
        """How badly D judges generated pictures."""

    def g(self, logits: Tensor) -> Tensor:
        """How badly G's pictures pass for real."""


class NonSaturating:
    """Cross entropy, with G raising log D (Goodfellow et al. 2014, section 3).

    Args:
        label_smoothing: real pictures are labelled 1 minus this, generated ones 0
            (one-sided: Salimans et al. 2016, section 3.4).
    """

    def __init__(self, label_smoothing: float) -> None:
        self.real_label = 1 - label_smoothing

    def d_real(self, logits: Tensor) -> Tensor:
        labels = torch.full_like(logits, self.real_label)
        return F.binary_cross_entropy_with_logits(logits, labels)

    def d_fake(self, logits: Tensor) -> Tensor:
        return F.softplus(logits).mean()

    def g(self, logits: Tensor) -> Tensor:
        return F.softplus(-logits).mean()


class Hinge:
    """D keeps a margin of 1 on either side; G pushes the logit up (Lim and Ye 2017)."""

    def d_real(self, logits: Tensor) -> Tensor:
        return F.relu(1 - logits).mean()

    def d_fake(self, logits: Tensor) -> Tensor:
        return F.relu(1 + logits).mean()

    def g(self, logits: Tensor) -> Tensor:
        return -logits.mean()


def build_loss(config: TrainingConfig) -> Loss:
    return Hinge() if config.loss == "hinge" else NonSaturating(config.label_smoothing)
