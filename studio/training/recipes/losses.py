"""The losses of D and G: non-saturating, hinge, Wasserstein, relativistic."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from studio.runs.config import TrainingConfig
from studio.training.recipes.labels import mean_labels

Labels = tuple[Tensor, Tensor]  # Labels of real and of generated pictures, each [N]; 1 is real.
Pair = tuple[float, float]  # The values of d_real and d_fake.


class Loss(ABC):
    """Turns D's logits, float [N], into scalars that D and G minimise.

    Attributes:
        pairs: whether a logit has a meaning only beside another one, so that G's loss needs the
            logits of real pictures too.
        guess_loss: d_real, and d_fake, of a D whose logits are all 0.
    """

    pairs = False
    guess_loss: float

    @abstractmethod
    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean cost of logits [N] under labels [N] in 0..1, a scalar."""

    @abstractmethod
    def lowest(self, label: float) -> float:
        """The lowest cost that D can reach on pictures of one label."""

    @abstractmethod
    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The loss of G, a scalar.

        Args:
            fake, real: D's logits of generated and of real pictures, [N].
        """

    def d(self, real: Tensor, fake: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        """d_real and d_fake, two scalars whose sum D minimises.

        Args:
            real, fake: D's logits of real and of generated pictures, [N].
        """
        return self.cost(real, labels[0]), self.cost(fake, labels[1])

    def r_t_logits(self, real: Tensor, fake: Tensor) -> Tensor:
        """The logits whose mean sign is ADA's r_t: [N], above 0 where D is right about a real."""
        return real


class NonSaturating(Loss):
    """Cross entropy, with G raising log D (Goodfellow et al. 2014, section 3)."""

    guess_loss = math.log(2)

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy of the logits under the labels."""
        return F.binary_cross_entropy_with_logits(logits, labels)

    def lowest(self, label: float) -> float:
        """The entropy of the label."""
        return -sum(p * math.log(p) for p in (label, 1 - label) if p > 0)

    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """softplus(-fake), which is -log D."""
        return F.softplus(-fake).mean()


class Hinge(Loss):
    """D keeps a margin of 1 on either side; G pushes the logit up (Lim and Ye 2017)."""

    guess_loss = 1.0

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Hinges at 1 for real and at -1 for generated, mixed by the labels."""
        return torch.lerp(F.relu(1 + logits), F.relu(1 - logits), labels).mean()

    def lowest(self, label: float) -> float:
        """0 for a hard label; a soft one is wrong either way."""
        return 2 * min(label, 1 - label)

    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The logits, to be raised."""
        return -fake.mean()


class Wasserstein(Loss):
    """D is a critic whose logits lie as far apart as its slope allows (Arjovsky et al. 2017)."""

    guess_loss = 0.0

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The logits, to be raised where real and lowered where generated."""
        return ((1 - 2 * labels) * logits).mean()

    def lowest(self, label: float) -> float:
        """Minus infinity: a distance has no bound."""
        return -math.inf

    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The logits, to be raised."""
        return -fake.mean()

    def r_t_logits(self, real: Tensor, fake: Tensor) -> Tensor:
        """Logits of real above those of generated pictures; alone they mean nothing."""
        return real - fake


class Relativistic(Loss):
    """Cross entropy of which picture of a pair is the real one (Huang et al. 2024, R3GAN, eq. 2).

    The paper's loss of a pair is one number; d_real and d_fake get half of it each.
    """

    pairs = True
    guess_loss = math.log(2) / 2

    def __init__(self) -> None:
        self._cross_entropy = NonSaturating()

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Half of the cross entropy."""
        return self._cross_entropy.cost(logits, labels) / 2

    def lowest(self, label: float) -> float:
        """Half of the entropy of the label."""
        return self._cross_entropy.lowest(label) / 2

    def d(self, real: Tensor, fake: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        """Costs of real above generated logits, and of generated above real ones."""
        return super().d(real - fake, fake - real, labels)

    def g(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Cross entropy of generated above real logits."""
        assert real is not None
        return self._cross_entropy.g(fake - real)

    def r_t_logits(self, real: Tensor, fake: Tensor) -> Tensor:
        """Logits of real above those of generated pictures; alone they mean nothing."""
        return real - fake


LOSSES: dict[str, type[Loss]] = {
    "non_saturating": NonSaturating,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
    "relativistic": Relativistic,
}


def build_loss(config: TrainingConfig) -> Loss:
    """The loss that the config names."""
    return LOSSES[config.loss]()


def reference_d_losses(config: TrainingConfig) -> tuple[Pair, Pair] | None:
    """(d_real, d_fake) of a D that is always right, and of a D that guesses.

    Soft, noisy and flipped labels are taken into account, gradient penalties are not.

    Returns:
        None for Wasserstein, whose critic measures a distance and cannot win.
    """
    loss, (real, fake) = build_loss(config), mean_labels(config)
    floor = (loss.lowest(real), loss.lowest(fake))
    if not all(map(math.isfinite, floor)):
        return None
    return floor, (loss.guess_loss, loss.guess_loss)
