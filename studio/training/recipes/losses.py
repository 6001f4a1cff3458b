"""What D and G are told about D's logits."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from studio.runs.config import TrainingConfig
from studio.training.recipes.labels import mean_labels

Labels = tuple[Tensor, Tensor]  # of real and of generated pictures, each [N]: 1 is real
Pair = tuple[float, float]


class Loss(ABC):
    """Turns logits [N] into scalars to make small.

    Attributes:
        pairs: a logit means something beside another one only, so that G's loss needs both.
        chance: either loss of a D whose logits are all 0.
    """

    pairs = False
    chance: float

    @abstractmethod
    def judge(self, logits: Tensor, labels: Tensor) -> Tensor:
        """How badly D's logits go with labels; a soft one is a mixture of both."""

    @abstractmethod
    def best(self, label: float) -> float:
        """What D loses at least by pictures of such a label."""

    @abstractmethod
    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """How badly G's pictures pass for real."""

    def d(self, real: Tensor, fake: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        """How badly D judges real and generated pictures; it makes the sum of both small."""
        return self.judge(real, labels[0]), self.judge(fake, labels[1])

    def surety(self, real: Tensor, fake: Tensor) -> Tensor:
        """[N]: above 0 where D takes a real picture for real."""
        return real


class NonSaturating(Loss):
    """Cross entropy, with G raising log D (Goodfellow et al. 2014, section 3)."""

    chance = math.log(2)

    def judge(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, labels)

    def best(self, label: float) -> float:
        return -sum(p * math.log(p) for p in (label, 1 - label) if p > 0)

    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return F.softplus(-fake).mean()


class Hinge(Loss):
    """D keeps a margin of 1 on either side; G pushes the logit up (Lim and Ye 2017)."""

    chance = 1.0

    def judge(self, logits: Tensor, labels: Tensor) -> Tensor:
        return torch.lerp(F.relu(1 + logits), F.relu(1 - logits), labels).mean()

    def best(self, label: float) -> float:
        return 2 * min(label, 1 - label)

    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()


class Wasserstein(Loss):
    """D is a critic whose logits lie as far apart as its slope allows (Arjovsky et al. 2017)."""

    chance = 0.0

    def judge(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ((1 - 2 * labels) * logits).mean()

    def best(self, label: float) -> float:
        return -math.inf

    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()

    def surety(self, real: Tensor, fake: Tensor) -> Tensor:
        return real - fake


class Relativistic(Loss):
    """Cross entropy of which picture of a pair is the real one (Huang et al. 2024, R3GAN, eq. 2).

    The paper's loss of a pair is one number; real and generated pictures get half of it each.
    """

    pairs = True
    chance = math.log(2) / 2

    def __init__(self) -> None:
        self._cross_entropy = NonSaturating()

    def judge(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self._cross_entropy.judge(logits, labels) / 2

    def best(self, label: float) -> float:
        return self._cross_entropy.best(label) / 2

    def d(self, real: Tensor, fake: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        return super().d(real - fake, fake - real, labels)

    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        assert real is not None
        return self._cross_entropy.g(fake - real)

    def surety(self, real: Tensor, fake: Tensor) -> Tensor:
        return real - fake


LOSSES: dict[str, type[Loss]] = {
    "non_saturating": NonSaturating,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
    "relativistic": Relativistic,
}


def build_loss(config: TrainingConfig) -> Loss:
    return LOSSES[config.loss]()


def d_wins_below(config: TrainingConfig) -> tuple[Pair, Pair] | None:
    """(d_real, d_fake) of a D that is always right, and of one that cannot tell.

    Soft, noisy and flipped labels are reckoned with, gradient penalties are not.

    Returns:
        None for Wasserstein, whose critic has a distance to report and no way to win.
    """
    loss, (real, fake) = build_loss(config), mean_labels(config)
    floor = (loss.best(real), loss.best(fake))
    return (floor, (loss.chance, loss.chance)) if all(map(math.isfinite, floor)) else None
