"""Recipes whose generator learns from examples: one optimiser, and an average of the weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from studio.runs.config import TrainingConfig
from studio.training.machine.precision import LossScale
from studio.training.machine.processes import Processes
from studio.training.machine.updater import LossesOf, Metrics, SplittableInputs, Updater
from studio.training.recipes.averaging import move_average
from studio.training.recipes.recipe import Recipe
from studio.training.recipes.recipe_options import read_options
from studio.training.recipes.schedules import rate_factor


class LearningByExample(Recipe):
    """What recipes share whose generator is told what to make of each point that it learns from.

    Args:
        config: the settings; the live ones may change later, see `configure`.
        processes: this process among those that train together.
        negatives: None; such recipes take none.

    Attributes:
        G: the generator that learns.
        G_ema: the moving average of its weights, which is rendered.
        options: the options of the recipe, of `options_type`.
    """

    G: nn.Module
    options: Any

    def __init__(
        self,
        config: TrainingConfig,
        processes: Processes,
        negatives: Iterator[Tensor] | None = None,
    ) -> None:
        super().__init__(config, processes)
        device = processes.device
        self.G = self.build_networks(config)["G"].to(device)
        self.G_ema: nn.Module = copy.deepcopy(self.G).eval().requires_grad_(False)
        self.modules: dict[str, nn.Module] = {"G": self.G, "G_ema": self.G_ema}
        self.optimizer_g = AdamW(self.G.parameters(), betas=config.betas, fused=True)
        self.optimizers: dict[str, Optimizer] = {"optimizer_g": self.optimizer_g}
        scale = LossScale(device, config.precision, self.numbers)
        self.updater = Updater(processes, self.numbers, scale)
        self.configure(config)

    @property
    def rendered(self) -> nn.Module:
        """The generator whose weights are kept as checkpoints: G_ema."""
        return self.G_ema

    def configure(self, config: TrainingConfig) -> None:
        """Use changed settings from the next step on."""
        self.config = config
        self.options = read_options(self.options_type, config)

    def learn(self, inputs: SplittableInputs, losses_of: LossesOf) -> Metrics:
        """Update G once, then its average; it makes the next batch.

        Args:
            inputs: the examples of this process.
            losses_of: see `Updater.update`.

        Returns:
            Scalars on the device: the metrics of the losses, and `g_grad_norm`.
        """
        config = self.config
        rate = config.learning_rate_g * rate_factor(config, self.batch + 1)
        for group in self.optimizer_g.param_groups:
            group.update(lr=rate, weight_decay=config.weight_decay)
        metrics = self.updater.update("G", self.G, self.optimizer_g, inputs, losses_of, config)
        self.batch += 1
        self.before_rendered_changes()
        move_average(self.G_ema, self.G, config.ema, self.batch)
        return {"g_grad_norm": metrics.pop("norm"), **metrics}
