"""The mileage chart of some cities: how far each is from each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from latent.nearness.distances import measure_table
from latent.nearness.features import Space
from latent.nearness.path_length import STEPS, measure_paths
from renderers.pictures.tables import draw_table
from studio.nearness.candidates import describe_points, describe_ways, open_run
from studio.nearness.searches import PATH
from studio.nearness.spaces import name_unit
from studio.runs.attribution import attribution_of
from studio.specimens.points import resolve_points
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

MIN_POINTS, MAX_POINTS = 2, 200


@dataclass(frozen=True)
class DistanceTable:
    """Distances of some points from each other.

    Attributes:
        matrix: float64 [N, N], symmetric, zeros on its diagonal.
        unit: what its numbers are, in words.
        pictures: uint8 [N, H, W, 3].
    """

    batch: int
    space: str
    metric: str
    unit: str
    labels: list[str]
    matrix: np.ndarray
    pictures: np.ndarray


def measure_distances(
    workspace: Workspace,
    run: str,
    points: Sequence[str],
    space: Space,
    metric: str = "euclidean",
    at_batch: int | None = None,
    device: str | None = None,
) -> DistanceTable:
    """Measure how far some points are from each other at one checkpoint.

    Args:
        points: as `resolve_points` takes them, MIN_POINTS to MAX_POINTS.
        metric: one of `latent.nearness.distances.METRICS`, or PATH for how far the features travel
            on the great circle between two.
        at_batch: the checkpoint; the last one by default.

    Raises:
        StudioError: unknown points, or too few or many of them.
        CheckpointError: unknown run or batch.
        LatentError: unknown space or metric.
    """
    checkpoints, batch = open_run(workspace, run, at_batch)
    found = resolve_points(workspace, run, points)
    if not MIN_POINTS <= len(found) <= MAX_POINTS:
        raise StudioError(
            f"A table of {len(found)} points is out of range: name {MIN_POINTS} to {MAX_POINTS}."
        )
    with borrow_device(workspace, device, f"distances in {run}") as chosen:
        G = checkpoints.generator(batch, chosen)
        described = describe_points(G, found, space)
        if metric == PATH:
            normal = [checkpoints.spec.unshape_z(point.z) for point in found]
            matrix = _measure_by_paths(describe_ways(G, checkpoints.spec, space), normal)
            unit = f"{name_unit(space.name, 'euclidean')}, along great circles in {STEPS} steps"
        else:
            matrix = measure_table(described.features, metric=metric)
            unit = name_unit(space.name, metric)
        pictures = described.draw(range(len(found)))
    return DistanceTable(batch, space.title, metric, unit, described.labels, matrix, pictures)


def draw_distances(workspace: Workspace, run: str, table: DistanceTable) -> np.ndarray:
    """The table with the cities on its diagonal, uint8 [height, width, 3]."""
    values = table.matrix.copy()
    np.fill_diagonal(values, np.nan)
    owed = attribution_of(workspace, run)
    unit = f"{table.metric} in {table.space}: {table.unit}"
    return draw_table(
        values,
        table.labels,
        table.labels,
        written="{:.3g}",
        pictures={(i, i): picture for i, picture in enumerate(table.pictures)},
        title=f"{run} · distances at batch {table.batch:,}",
        footer=f"{unit}. {owed}".strip(),
    )


def _measure_by_paths(describe: Callable[[Tensor], np.ndarray], points: list[Tensor]) -> np.ndarray:
    matrix = np.zeros((len(points), len(points)))
    for i, one in enumerate(points[:-1]):
        pairs = [(one, other) for other in points[i + 1 :]]
        matrix[i, i + 1 :] = matrix[i + 1 :, i] = measure_paths(describe, pairs)
    return matrix
