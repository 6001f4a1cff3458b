"""Ways to train, by name."""

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
    """What the engine asks of a way to train; all but the config is the training state.

    Attributes:
        batch: generator updates so far.
        config: the settings in force.
        modules: the networks.
        optimizers: theirs.
        rng: draws everything, on the device; the same in all processes.
        numbers: what else has to survive a resume. It is changed in place, here and by the engine.
    """

    batch: int
    config: TrainingConfig
    modules: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    rng: torch.Generator
    numbers: dict[str, float]

    @property
    def rendered(self) -> nn.Module:
        """The generator whose weights are kept as checkpoints."""

    def configure(self, config: TrainingConfig) -> None:
        """Take up settings that changed in a live run, with the next step."""

    def step(self, reals: Iterator[Tensor], watch: Stopwatch) -> dict[str, Tensor]:
        """Exactly one generator update, and what goes with it of the discriminator.

        Args:
            reals: this process's share of real pictures, float [N, 3, S, S] in -1..1; as many
                batches are taken as there are updates that need them.
            watch: counts the phases "data", "D" and "G".

        Returns:
            Scalars to watch, on the device.
        """

    def warm_up(self, reals: Iterator[Tensor], watch: Stopwatch) -> dict[str, Tensor]:
        """One update of the discriminator alone, before the first of the generator."""


Nulls = Iterator[Tensor] | None
RECIPES: dict[str, Callable[[TrainingConfig, Processes, Nulls], Recipe]] = {"gan": GAN}


def build_recipe(config: TrainingConfig, processes: Processes, nulls: Nulls = None) -> Recipe:
    """The config's recipe, untrained.

    Args:
        nulls: batches like those of real pictures, of what is to count as generated.

    Raises:
        StudioError: an unknown recipe, or networks that cannot be built.
    """
    check_recipe(config)
    return RECIPES[config.recipe](config, processes, nulls)


def check_recipe(config: TrainingConfig) -> None:
    """Refuse a recipe that is not there.

    Raises:
        StudioError: it lists the known ones.
    """
    if config.recipe not in RECIPES:
        known = ", ".join(sorted(RECIPES))
        raise StudioError(f"No training recipe is called '{config.recipe}'. Known: {known}.")
