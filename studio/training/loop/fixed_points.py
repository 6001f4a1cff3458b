"""The fixed points of a run: which they are, and what the live film shows of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from checkpoints_index.generators.representative import representative_z
from latent.points import LatentPoint
from studio.datasets.held_out import SplitDataset
from studio.runs.config import TrainingConfig
from studio.specimens.points import FIXED, keep_points, points_of
from studio.training.recipes import Recipe, find_recipe
from studio.training.recipes.recipe import FixedPoint
from studio.workspace.paths import Workspace


class FixedPoints:
    """The points that a run is filmed at, with the pictures that they ought to become.

    Args:
        run: its name.
        recipe: the recipe that trains.
        data: the run's dataset.
    """

    def __init__(self, workspace: Workspace, run: str, recipe: Recipe, data: SplitDataset) -> None:
        self._workspace, self._run, self._recipe, self._data = workspace, run, recipe, data
        self._points: list[FixedPoint] = []
        self.labels: list[str] = []

    def choose(self, count: int) -> Tensor:
        """Take the first `count` points from now on; new ones are kept where there are too few.

        Returns:
            float32 [count, z_dim]; fewer where the dataset has not so many.
        """
        config = self._recipe.config
        kept = points_of(self._workspace, self._run, FIXED)
        found = self._recipe.choose_points(config, self._data, count)
        if len(kept) < count:
            keep_points(self._workspace, self._run, label_points(found), origin=FIXED)
            kept = points_of(self._workspace, self._run, FIXED)
        chosen = kept[:count]
        self.labels = [point.label for point in chosen]
        self._points = match_truths([point.z for point in chosen], found)
        return self.z

    @property
    def z(self) -> Tensor:
        """The points, float32 [P, z_dim], on the CPU."""
        return torch.stack([point.z for point in self._points])

    def show(self, pictures: np.ndarray) -> np.ndarray:
        """What is shown of pictures of the points, as the recipe says.

        Args:
            pictures: uint8 [P, S, S, 3].

        Returns:
            uint8 [P, height, width, 3].
        """
        return self._recipe.show(self._recipe.config, pictures, self._points)

    def representative(self, count: int, seed: int) -> Tensor:
        """Points for measuring layers: drawn ones, or these where none can be drawn.

        Returns:
            float32 [count or fewer, z_dim], on the CPU.
        """
        spec = self._recipe.config.generator_spec()
        return representative_z(spec, count, seed) if spec.can_draw else self.z[:count]


def choose_first_points(config: TrainingConfig, data: SplitDataset) -> list[LatentPoint]:
    """The fixed points with which a run begins, labelled.

    Raises:
        StudioError: the dataset has not so many.
    """
    recipe = find_recipe(config.recipe)
    return label_points(recipe.choose_points(config, data, config.fixed_points))


def label_points(points: Sequence[FixedPoint]) -> list[LatentPoint]:
    """Fixed points under their labels, from 0.0 on."""
    return [LatentPoint(f"0.{number}", point.z) for number, point in enumerate(points)]


def match_truths(z: Sequence[Tensor], found: Sequence[FixedPoint]) -> list[FixedPoint]:
    """The points that a run keeps, each with its truth where that of the dataset is still its own.

    Args:
        z: the kept points, float32 [z_dim] each.
        found: the points as the dataset gives them today.
    """
    truths = {point.z.numpy().tobytes(): point.truth for point in found}
    return [FixedPoint(kept, truths.get(kept.numpy().tobytes())) for kept in z]
