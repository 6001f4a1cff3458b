"""Find the places of further cities on an atlas that is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from checkpoints_index import CheckpointIndex
from latent import find_neighbours
from latent.maps.additions import place_new_points
from latent.nearness.features import compute_features
from studio.atlases.atlas_files import DrawnAtlas, read_space
from studio.specimens.points import resolve_points
from studio.workspace.devices import borrow_device
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class LocatedCity:
    """Where a city lies on an atlas.

    Args:
        label: its label.
        x, y: its place, 0..1, y upwards.
        nearest: label of the city on the atlas that is nearest to it in the space.
        distance: how far that one is, in the space.
    """

    label: str
    x: float
    y: float
    nearest: str
    distance: float


def locate_cities(
    workspace: Workspace, atlas: DrawnAtlas, texts: Sequence[str], device: str | None = None
) -> list[LocatedCity]:
    """Place cities among those of an atlas that they are like; nothing on it moves.

    Args:
        texts: as `resolve_points` takes them.
        device: see `borrow_device`.

    Raises:
        StudioError: unknown point, or the atlas has no features, as an old version drew it.
        CheckpointError: the checkpoint is gone.
    """
    features, directions = read_space(atlas)
    points = resolve_points(workspace, atlas.run, texts)
    checkpoints = CheckpointIndex(workspace.runs)[atlas.run]
    with borrow_device(workspace, device, f"places on an atlas of {atlas.run}") as chosen:
        G = checkpoints.generator(atlas.batch, chosen)
        new = compute_features(G, torch.stack([p.z for p in points]), atlas.space).numpy()
    if directions is not None:
        new = directions.project(new)
    places = np.clip(place_new_points(new, features, atlas.coordinates), 0, 1)
    indices, distances = find_neighbours(features, new, 1)
    labels = atlas.labels
    return [
        LocatedCity(
            point.label,
            round(float(x), 5),
            round(float(y), 5),
            labels[int(indices[n, 0])],
            round(float(distances[n, 0]), 6),
        )
        for n, (point, (x, y)) in enumerate(zip(points, places, strict=True))
    ]
