"""Recipes whose generator learns from examples: one optimiser, and an average of the weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, ClassVar

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
from studio.workspace.errors import StudioError


class LearningByExample(Recipe):
    """What recipes share whose generator is told what to make of each point that it learns from.

    Args:
        config: the settings; the live ones may change later, see `configure`.
        processes: this process among those that train together.
        negatives: None; such recipes take none.

    Attributes:
        architecture: of the only generator that the recipe trains.
        presets_advice: which presets have it, as the first half of a sentence.
        unseen: what training never sees of a dataset, in the plural.
        usual_share: of it that is held out, as people write it.
        G: the generator that learns.
        G_ema: the moving average of its weights, which is rendered.
        options: the options of the recipe, of `options_type`.
    """

    architecture: ClassVar[str]
    presets_advice: ClassVar[str]
    unseen: ClassVar[str]
    usual_share: ClassVar[str]
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

    @classmethod
    def check(cls, config: TrainingConfig) -> None:
        """Refuse another generator, and a run that holds nothing out.

        Raises:
            StudioError: the text says what would do.
        """
        super().check(config)
        if config.generator != cls.architecture:
            raise StudioError(
                f"The recipe '{config.recipe}' trains the generator '{cls.architecture}', not "
                f"'{config.generator}'. {cls.presets_advice}, or set generator={cls.architecture}."
            )
        if config.held_out == 0:
            raise StudioError(
                f"The recipe '{config.recipe}' is scored and filmed on {cls.unseen} that it never "
                f"sees: set held_out to a number of {cls.unseen}, or to a share such as "
                f"{cls.usual_share}."
            )

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
