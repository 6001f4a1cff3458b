"""The specimens of a run that are most like a given point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex
from latent.features import compute_features
from latent.neighbours import find_neighbours
from studio.specimens.points import points_of, resolve_points
from studio.specimens.specimens import seen_at
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

# Has the arguments and the result of `latent.features.compute_features`.
Describe = Callable[[nn.Module, Tensor, str], Tensor]


@dataclass(frozen=True)
class Neighbours:
    """The specimens nearest to a point, and how nearness was measured.

    Attributes:
        point: label of the point.
        batch: the checkpoint whose features were compared.
        space: one of `latent.features.SPACES`.
        metric: one of `latent.features.METRICS`.
        neighbours: (label, distance), the nearest first.
    """

    point: str
    batch: int
    space: str
    metric: str
    neighbours: list[tuple[str, float]]


def find_near_specimens(
    workspace: Workspace,
    run: str,
    point: str,
    k: int = 10,
    space: str = "pictures",
    metric: str = "euclidean",
    at_batch: int | None = None,
    describe: Describe = compute_features,
    device: str | None = None,
) -> Neighbours:
    """Compare a point with every other specimen of the run, at one checkpoint.

    Args:
        point: a label, `seed:123`, or the path of an exported JPEG.
        k: how many neighbours to find at most.
        space: one of `latent.features.SPACES`.
        metric: one of `latent.features.METRICS`.
        at_batch: the checkpoint whose pictures are compared; by default the one in the label,
            and for points from before the first checkpoint the last one.
        describe: computes features, float32 [N, num_features]; a caller may pass one that caches.
        device: see `borrow_device`.

    Raises:
        StudioError: unknown point, or no specimen to compare it with.
        CheckpointError: unknown run or batch.
        LatentError: unknown space or metric.
    """
    checkpoints = CheckpointIndex(workspace.runs)[run]
    query = resolve_points(workspace, run, [point])[0]
    others = [other for other in points_of(workspace, run) if other.label != query.label]
    if not others:
        raise StudioError(
            f"Run '{run}' has no other specimens to compare {query.label} with. "
            f"Draw some: studio specimens sample {run} --batch BATCH --count 64"
        )
    batch = seen_at(checkpoints, query.label) if at_batch is None else at_batch
    z = torch.stack([p.z for p in (query, *others)])
    with borrow_device(workspace, device, f"nearness in {run}") as chosen:
        features = describe(checkpoints.generator(batch, chosen), z, space).numpy()
    indices, distances = find_neighbours(features[1:], features[:1], k, metric)
    found = [(others[i].label, float(d)) for i, d in zip(indices[0], distances[0], strict=True)]
    return Neighbours(query.label, batch, space, metric, found)
