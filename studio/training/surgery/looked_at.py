"""The latent points at which the units of a network are looked at."""

from __future__ import annotations

import torch
from torch import Tensor

from checkpoints_index import GeneratorSpec
from checkpoints_index.generators.representative import representative_z
from latent.points import draw_z
from studio.datasets.listing import list_datasets
from studio.runs.config import TrainingConfig
from studio.training.recipes import find_recipe, open_split
from studio.workspace.paths import Workspace

SEED = 1


def choose_inputs(
    workspace: Workspace, spec: GeneratorSpec, config: TrainingConfig | None, count: int
) -> Tensor:
    """Drawn points; where points are pictures, those that the recipe cuts out of held-out data.

    Where the dataset is gone, or none is known, pictures are made up.

    Args:
        config: the settings of the run; None of one that was imported.
        count: how many; fewer where a dataset has not so many.

    Returns:
        float32 [N, z_dim], the same ones each time.
    """
    if spec.can_draw:
        return draw_z(count, spec.z_dim, SEED, spec.shape_z)
    if config is None or config.dataset not in list_datasets(workspace):
        return representative_z(spec, count, SEED)
    data = open_split(workspace, config)
    points = find_recipe(config.recipe).choose_points(config, data, count)
    return torch.stack([point.z for point in points])
