"""Train by a recipe of your own: here, G and D are given less and less noise to look through.

python examples/own_recipe.py [WORKSPACE]
"""

from collections.abc import Iterator

import torch
from _workspace import TINY, open_workspace
from torch import Tensor

from studio.training.recipes import RECIPES
from studio.training.recipes.gan import GAN


class FoggyGAN(GAN):
    """A GAN whose real pictures come out of a fog that lifts over 20 batches."""

    def step(self, reals: Iterator[Tensor], watch) -> dict[str, Tensor]:
        """One update of G and those of D that are due, on foggy pictures."""
        fog = max(0.0, 1 - self.batch / 20)
        metrics = super().step((pictures * (1 - fog) for pictures in reals), watch)
        return {**metrics, "fog": torch.tensor(fog)}  # on the curves, and in TensorBoard


if __name__ == "__main__":
    RECIPES["foggy"] = FoggyGAN  # a line in studio/training/recipes/ makes it known for good
    here = open_workspace()
    report = here.train(dataset="streets", run="foggy", recipe="foggy", batches=24, settings=TINY)
    print(f"run {report.run} {report.status} at batch {report.batch}")
