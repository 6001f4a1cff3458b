"""Among what is searched: specimens, drawn points, another run's points, training pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex, CheckpointRun, GeneratorSpec
from latent.nearness.features import CHUNK, Space, compute_features, describe_pictures
from latent.points import LatentPoint, seeded_point
from renderers.frames.frame_renderer import render_frames
from renderers.frames.passes import unround_frames
from studio.datasets.listing import open_dataset
from studio.datasets.prepared import PreparedDataset
from studio.runs.config import TrainingConfig
from studio.runs.selection import last_batch
from studio.specimens.points import points_of
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

# Has the arguments and the result of `latent.nearness.features.compute_features`.
Describe = Callable[[nn.Module, Tensor, Space], Tensor]
MAX_DRAWN = 100_000


@dataclass(frozen=True, eq=False)
class Candidates:
    """What is searched.

    Attributes:
        labels: what each is called.
        features: float32 [N, num_features].
        draw: numbers of some -> their pictures, uint8 [n, H, W, 3].
        z: float32 [N, z_dim] where they are latent points.
    """

    labels: list[str]
    features: np.ndarray
    draw: Callable[[Sequence[int]], np.ndarray]
    z: Tensor | None = None


def describe_points(
    G: nn.Module, points: Sequence[LatentPoint], space: Space, describe: Describe = compute_features
) -> Candidates:
    """Latent points as one generator shows them.

    Args:
        points: one or more.
        describe: computes features; a caller may pass one that caches.

    Raises:
        LatentError: as `compute_features`.
    """
    z = torch.stack([point.z for point in points])

    def draw(numbers: Sequence[int]) -> np.ndarray:
        return render_frames(G, z[list(numbers)])

    return Candidates([p.label for p in points], describe(G, z, space).numpy(), draw, z)


def describe_ways(
    G: nn.Module, spec: GeneratorSpec, space: Space
) -> Callable[[Tensor], np.ndarray]:
    """What describes points on ways: normal ones, from which a generator's own are shaped.

    A way between points of a uniform distribution, or on a sphere, leads through the points of
    N(0, I) that they are shaped from, so that it never leaves what the generator was trained with.

    Returns:
        Normal points float32 [N, z_dim], as `spec.unshape_z` gives -> float32 [N, num_features].
    """
    return lambda normal: compute_features(G, spec.shape_z(normal), space).numpy()


def specimens_of(workspace: Workspace, run: str) -> list[LatentPoint]:
    """All specimens of a run.

    Raises:
        StudioError: there are none.
    """
    points = points_of(workspace, run)
    if not points:
        raise StudioError(
            f"Run '{run}' has no specimens to compare with. "
            f"Draw some: studio specimens sample {run} --batch BATCH --count 64"
        )
    return points


def draw_seeds(count: int, spec: GeneratorSpec) -> list[LatentPoint]:
    """The points `seed:0` to `seed:COUNT - 1`, which everybody can name again.

    Raises:
        StudioError: the count is out of range.
        UndrawnPointsError: the generator's points are given, and cannot be drawn.
    """
    spec.require_drawn()
    if not 1 <= count <= MAX_DRAWN:
        raise StudioError(f"{count} drawn points are out of range: use 1 to {MAX_DRAWN:,}.")
    return [seeded_point(seed, spec.z_dim, spec.shape_z) for seed in range(count)]


def open_training_pictures(workspace: Workspace, run: str) -> PreparedDataset:
    """The dataset that a run was trained on.

    Raises:
        StudioError: it is not known, or not there any more.
    """
    path = workspace.run_config(run)
    dataset = TrainingConfig.read(path).dataset if path.exists() else ""
    if not dataset:
        raise StudioError(
            f"Nobody knows which pictures run '{run}' was trained on. Compare it with a dataset "
            "by its name: --dataset NAME"
        )
    return open_dataset(workspace, dataset)


def held_out_of(workspace: Workspace, run: str, dataset: PreparedDataset) -> float:
    """How many pictures of a dataset a run held out, or which share; 0 of one that is not its own.

    See `studio.datasets.held_out.split_dataset`.
    """
    path = workspace.run_config(run)
    config = TrainingConfig.read(path) if path.exists() else TrainingConfig()
    return config.held_out if config.dataset == dataset.manifest.name else 0


def describe_dataset(dataset: PreparedDataset, space: Space) -> Candidates:
    """The pictures of a dataset, called NAME:NUMBER from 0 on.

    Raises:
        LatentError: the space describes latent points alone.
    """
    rows = [
        describe_pictures(unround_frames(dataset.pixels[start : start + CHUNK]), space)
        for start in range(0, len(dataset), CHUNK)
    ]
    labels = [f"{dataset.manifest.name}:{number}" for number in range(len(dataset))]
    return Candidates(
        labels, torch.cat(rows).numpy(), lambda numbers: dataset.pixels[list(numbers)]
    )


def open_run(workspace: Workspace, run: str, batch: int | None) -> tuple[CheckpointRun, int]:
    """A run, and the batch that was asked for or its last.

    Raises:
        CheckpointError: unknown run.
        StudioError: it has no checkpoints.
    """
    checkpoints = CheckpointIndex(workspace.runs)[run]
    return checkpoints, last_batch(checkpoints.batches, run) if batch is None else batch
