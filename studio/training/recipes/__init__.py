"""Recipes: ways to train, by name."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from studio.datasets.held_out import SplitDataset, split_dataset
from studio.datasets.listing import open_dataset
from studio.runs.config import TrainingConfig
from studio.training.machine.processes import Processes
from studio.training.machine.weight_limits import WeightLimits
from studio.training.recipes.gan import GAN
from studio.training.recipes.letters import LetterTraining
from studio.training.recipes.recipe import Recipe
from studio.training.recipes.recipe_options import read_options
from studio.training.recipes.upscale import Upscaling
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

__all__ = [
    "RECIPES",
    "Recipe",
    "build_recipe",
    "check_recipe",
    "find_recipe",
    "open_split",
    "usual_recipe",
]

Negatives = Iterator[Tensor] | None
RECIPES: dict[str, type[Recipe]] = {
    **{"gan": GAN, "letters": LetterTraining, "upscale": Upscaling},
}


def find_recipe(name: str) -> type[Recipe]:
    """The recipe of a name.

    Raises:
        StudioError: an unknown recipe; the text lists the known ones.
    """
    if name not in RECIPES:
        known = ", ".join(sorted(RECIPES))
        raise StudioError(f"No training recipe is called '{name}'. Known: {known}.")
    return RECIPES[name]


def usual_recipe(kind: str) -> str:
    """The name of the recipe that is meant for a kind of datasets where nobody names one."""
    return next(name for name, recipe in RECIPES.items() if recipe.dataset_kind == kind)


def open_split(workspace: Workspace, config: TrainingConfig) -> SplitDataset:
    """The dataset of a run, of the kind that its recipe learns from, and what is held out of it.

    Raises:
        StudioError: no such recipe, no such dataset, one of another kind, or nothing to hold out.
    """
    kind = find_recipe(config.recipe).dataset_kind
    return split_dataset(open_dataset(workspace, config.dataset, kind), config.held_out)


def build_recipe(
    config: TrainingConfig, processes: Processes, negatives: Negatives = None
) -> Recipe:
    """The recipe that the config names, untrained, with the limits on weights in its optimisers.

    Args:
        negatives: batches like those of real pictures, which D learns as generated ones.

    Raises:
        StudioError: an unknown recipe, settings that it cannot train with, or networks that
            cannot be built.
    """
    check_recipe(config)
    recipe = RECIPES[config.recipe](config, processes, negatives)
    for optimizer in recipe.optimizers.values():
        WeightLimits(optimizer, recipe.modules.values(), lambda: recipe.config)
    return recipe


def check_recipe(config: TrainingConfig) -> None:
    """Refuse an unknown recipe, and settings and options that it cannot train with.

    Raises:
        StudioError: the text says what is known, or what would do.
    """
    recipe = find_recipe(config.recipe)
    read_options(recipe.options_type, config)
    recipe.check(config)
