"""Who became neighbours, and when: read off the maps of an atlas over training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latent.nearness.onsets import find_onsets
from studio.atlases.growth_files import GrowthAtlas


@dataclass(frozen=True)
class NeighbourSince:
    """A neighbour of a city at the last map.

    Attributes:
        label: of the neighbour.
        since: the first batch from whose map on it was one on every map.
    """

    label: str
    since: int


def list_onsets(atlas: GrowthAtlas) -> np.ndarray:
    """For each neighbour of the last map, the map from which on it stayed: int [N, neighbours].

    Raises:
        StudioError: the atlas is not finished, or damaged.
    """
    atlas.require_whole()
    return find_onsets(np.stack([atlas.read_near(drawn) for drawn in atlas.maps]))


def neighbours_since(atlas: GrowthAtlas, label: str) -> list[NeighbourSince]:
    """The neighbours of a city at the last map, nearest first, and since when they are.

    Raises:
        StudioError: it is not on the maps; or as `list_onsets`.
    """
    number = atlas.require_label(label)
    onsets, near = list_onsets(atlas)[number], atlas.read_near(atlas.maps[-1])[number]
    batches = atlas.batches
    return [
        NeighbourSince(atlas.labels[other], batches[onset])
        for other, onset in zip(near.tolist(), onsets.tolist(), strict=True)
    ]


def shares_since(atlas: GrowthAtlas) -> list[float]:
    """Of all neighbours at the last map, the share that is so since each map or longer.

    Raises:
        StudioError: as `list_onsets`.
    """
    onsets = list_onsets(atlas)
    counts = np.bincount(onsets.ravel(), minlength=len(atlas.maps))
    return [round(float(share), 4) for share in counts.cumsum() / onsets.size]
