"""Ways to train, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from latent.errors import UserError
from studio.training.config import TrainingConfig
from studio.training.recipes.gan import GAN


class Recipe(Protocol):
    """What the engine asks of a way to train; all of it is the training state."""

    batch: int  # generator updates so far
    modules: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    rng: torch.Generator

    @property
    def rendered(self) -> nn.Module:
        """The generator whose weights are kept as checkpoints."""

    def step(self, reals: Tensor) -> dict[str, Tensor]:
        """One generator update from real pictures [N, 3, S, S] in -1..1; scalars to watch."""


RECIPES: dict[str, Callable[[TrainingConfig, torch.device], Recipe]] = {"gan": GAN}


def build_recipe(config: TrainingConfig, device: torch.device) -> Recipe:
    """The config's recipe, untrained.

    Raises:
        UserError: an unknown recipe, or a generator that cannot be built.
    """
    if config.recipe not in RECIPES:
        known = ", ".join(sorted(RECIPES))
        raise UserError(f"No training recipe is called '{config.recipe}'. Known: {known}.")
    return RECIPES[config.recipe](config, device)
