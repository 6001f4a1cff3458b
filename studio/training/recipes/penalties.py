"""What D pays for being steep."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.runs.config import TrainingConfig

WASSERSTEIN_WEIGHT = 10.0  # Gulrajani et al. 2017, section 4
R3GAN_GAMMAS = {64: 2.0, 256: 150.0}  # by image_size: Huang et al. 2024, on FFHQ, when they begin
TINY = 1e-12  # the root has no slope at 0

Judge = Callable[[Tensor], Tensor]  # pictures [N, 3, S, S] -> logits [N]


@dataclass(frozen=True)
class Judged:
    """Pictures [N, 3, S, S] as D saw them, and its logits [N]."""

    reals: Tensor
    fakes: Tensor
    real_logits: Tensor
    fake_logits: Tensor


@dataclass(frozen=True)
class ZeroCentred:
    """R1, a flat D on real pictures, and R2, on generated ones (Mescheder et al. 2018, eq. 9-10).

    Each is half the weight, gamma, times the mean squared length of the gradient, which is that
    to the pictures as D sees them, blurred and augmented.

    Attributes:
        of_reals, of_fakes: which pictures need `requires_grad` before D sees them.
    """

    weight: float
    of_fakes: bool
    of_reals: bool = True

    def __call__(self, judge: Judge, judged: Judged, mixing: Tensor) -> Tensor:
        """The scalar that is added to D's loss; nothing is mixed."""
        r1 = steepness(judged.reals, judged.real_logits).mean()
        r2 = steepness(judged.fakes, judged.fake_logits).mean() if self.of_fakes else 0.0
        return self.weight / 2 * (r1 + r2)


@dataclass(frozen=True)
class OneCentred:
    """A slope of 1 between real and generated pictures (Gulrajani et al. 2017, eq. 3).

    It is a D's without batch norm, where a logit depends on its own picture alone.
    """

    weight: float
    of_reals: bool = False
    of_fakes: bool = False

    def __call__(self, judge: Judge, judged: Judged, mixing: Tensor) -> Tensor:
        """The scalar that is added to D's loss, by pictures mixed by [N, 1] in 0..1."""
        between = torch.lerp(judged.fakes, judged.reals, mixing[..., None, None])
        between.requires_grad_()
        slopes = (steepness(between, judge(between)) + TINY).sqrt()
        return self.weight * (slopes - 1).square().mean()


Penalty = ZeroCentred | OneCentred


def steepness(pictures: Tensor, logits: Tensor) -> Tensor:
    """float32 [N]: the squared length of each logit's gradient; it can be learned from."""
    (gradients,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradients.float().square().sum(dim=(1, 2, 3))


def build_penalty(config: TrainingConfig) -> Penalty | None:
    """The penalty that goes with the config's loss; None where its weight is 0."""
    weight = penalty_weight(config)
    if weight == 0:
        return None
    if config.loss == "wasserstein":
        return OneCentred(weight)
    return ZeroCentred(weight, of_fakes=config.loss == "relativistic")


def penalty_weight(config: TrainingConfig) -> float:
    """The config's weight, or that of the loss's paper where it is -1."""
    if config.gradient_penalty >= 0:
        return config.gradient_penalty
    defaults = {"wasserstein": WASSERSTEIN_WEIGHT, "relativistic": r3gan_gamma(config.image_size)}
    return defaults.get(config.loss, 0.0)


def r3gan_gamma(image_size: int) -> float:
    """R3GAN's gamma: the power law through the paper's two, and no more than its largest."""
    (small, low), (large, high) = R3GAN_GAMMAS.items()
    power = math.log(high / low) / math.log(large / small)
    return min(high, low * (image_size / small) ** power)
