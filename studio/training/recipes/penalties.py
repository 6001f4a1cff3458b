"""Gradient penalties of D: R1, R2, WGAN-GP."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.runs.config import TrainingConfig

WASSERSTEIN_WEIGHT = 10.0  # Gulrajani et al. 2017, section 4.
# Gamma by image_size, as the runs on FFHQ of Huang et al. 2024 begin.
R3GAN_GAMMAS = {64: 2.0, 256: 150.0}
TINY = 1e-12  # Added below the root, which has no slope at 0.

Discriminate = Callable[[Tensor], Tensor]  # Pictures [N, 3, S, S] -> logits [N].


@dataclass(frozen=True)
class DiscriminatorPass:
    """Augmented pictures, float [N, 3, S, S], and D's logits of them, float32 [N]."""

    reals: Tensor
    fakes: Tensor
    real_logits: Tensor
    fake_logits: Tensor


@dataclass(frozen=True)
class ZeroCentred:
    """R1 and R2: flat logits at real and at generated pictures (Mescheder et al. 2018, eq. 9-10).

    Each is half the weight (gamma) times the mean squared norm of D's gradient, taken at the
    pictures as D sees them, blurred and augmented.

    Attributes:
        weight: gamma.
        of_fakes, of_reals: which pictures need `requires_grad` before D sees them.
    """

    weight: float
    of_fakes: bool
    of_reals: bool = True

    def __call__(
        self, discriminate: Discriminate, d_pass: DiscriminatorPass, mixing: Tensor
    ) -> Tensor:
        """The term of D's loss, a scalar; `mixing` is not used."""
        r1 = squared_gradients(d_pass.reals, d_pass.real_logits).mean()
        r2 = squared_gradients(d_pass.fakes, d_pass.fake_logits).mean() if self.of_fakes else 0.0
        return self.weight / 2 * (r1 + r2)


@dataclass(frozen=True)
class OneCentred:
    """WGAN-GP: gradients of norm 1 between real and generated pictures (Gulrajani 2017, eq. 3).

    D has to be without batch norm, so that a logit depends on its own picture alone.

    Attributes:
        weight: lambda.
        of_fakes, of_reals: which pictures need `requires_grad` before D sees them: none.
    """

    weight: float
    of_reals: bool = False
    of_fakes: bool = False

    def __call__(
        self, discriminate: Discriminate, d_pass: DiscriminatorPass, mixing: Tensor
    ) -> Tensor:
        """The term of D's loss, a scalar.

        Args:
            mixing: float [N, 1] in 0..1, how much of the real picture is in each mixed one.
        """
        mixed = torch.lerp(d_pass.fakes, d_pass.reals, mixing[..., None, None])
        mixed.requires_grad_()
        norms = (squared_gradients(mixed, discriminate(mixed)) + TINY).sqrt()
        return self.weight * (norms - 1).square().mean()


Penalty = ZeroCentred | OneCentred


def squared_gradients(pictures: Tensor, logits: Tensor) -> Tensor:
    """The squared norm of each logit's gradient, from which D can learn: float32 [N].

    Args:
        pictures: float [N, 3, S, S] with `requires_grad`.
        logits: D's logits of the pictures, [N].
    """
    (gradients,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradients.float().square().sum(dim=(1, 2, 3))


def build_penalty(config: TrainingConfig) -> Penalty | None:
    """The penalty that belongs to the config's loss; None where its weight is 0."""
    weight = penalty_weight(config)
    if weight == 0:
        return None
    if config.loss == "wasserstein":
        return OneCentred(weight)
    return ZeroCentred(weight, of_fakes=config.loss == "relativistic")


def penalty_weight(config: TrainingConfig) -> float:
    """The config's weight; where that is -1, the weight in the paper of the loss."""
    if config.gradient_penalty >= 0:
        return config.gradient_penalty
    defaults = {"wasserstein": WASSERSTEIN_WEIGHT, "relativistic": r3gan_gamma(config.image_size)}
    return defaults.get(config.loss, 0.0)


def r3gan_gamma(image_size: int) -> float:
    """R3GAN's gamma: the power law through the paper's two values, up to the larger one.

    Example:
        >>> r3gan_gamma(64), r3gan_gamma(1024)
        (2.0, 150.0)
    """
    (small, low), (large, high) = R3GAN_GAMMAS.items()
    power = math.log(high / low) / math.log(large / small)
    return float(min(high, low * (image_size / small) ** power))
