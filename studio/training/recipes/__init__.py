"""Recipes: what the engine asks of a way to train, and the recipes by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from studio.runs.config import TrainingConfig
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes.gan import GAN
from studio.workspace.errors import StudioError


class Recipe(Protocol):
    """The interface between the engine and a way to train.

    Everything but the config is part of the training state.

    Attributes:
        batch: generator updates so far.
        config: the settings in force.
        modules: the networks by name: G, D, G_ema.
        optimizers: the optimisers by name: optimizer_g, optimizer_d.
        rng: draws all random numbers, on the device; the same in all processes.
        numbers: further scalars that a resume needs; recipe and engine change them in place.
        before_rendered_changes: called before the weights of `rendered` change, since those of the
            last checkpoint may still be copied.
    """

    batch: int
    config: TrainingConfig
    modules: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    rng: torch.Generator
    numbers: dict[str, float]
    before_rendered_changes: Callable[[], None]

    @property
    def rendered(self) -> nn.Module:
        """The generator whose weights are kept as checkpoints."""

    def configure(self, config: TrainingConfig) -> None:
        """Use changed settings from the next step on."""

    def step(self, reals: Iterator[Tensor], watch: Stopwatch) -> dict[str, Tensor]:
        """Run exactly one update of G, and the updates of D that are due before it.

        Args:
            reals: this process's shards of real batches, float [N, 3, S, S] in -1..1; one is taken
                for each update that needs it.
            watch: counts the phases "data", "D" and "G".

        Returns:
            Metrics by name, scalars on the device.
        """

    def warm_up(self, reals: Iterator[Tensor], watch: Stopwatch) -> dict[str, Tensor]:
        """Run one update of D alone, before the first of G; see `step`."""


Negatives = Iterator[Tensor] | None
RECIPES: dict[str, Callable[[TrainingConfig, Processes, Negatives], Recipe]] = {"gan": GAN}


def build_recipe(
    config: TrainingConfig, processes: Processes, negatives: Negatives = None
) -> Recipe:
    """The recipe that the config names, untrained.

    Args:
        negatives: batches like those of real pictures, which D learns as generated ones.

    Raises:
        StudioError: an unknown recipe, or networks that cannot be built.
    """
    check_recipe(config)
    return RECIPES[config.recipe](config, processes, negatives)


def check_recipe(config: TrainingConfig) -> None:
    """Refuse an unknown recipe.

    Raises:
        StudioError: the text lists the known recipes.
    """
    if config.recipe not in RECIPES:
        known = ", ".join(sorted(RECIPES))
        raise StudioError(f"No training recipe is called '{config.recipe}'. Known: {known}.")
