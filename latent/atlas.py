"""Draw a flat map of latent points, and measure how faithful it is."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from latent.errors import LatentError
from latent.neighbours import find_neighbours

MIN_POINTS = 10
NEIGHBOURS = 15  # UMAP looks at so many neighbours of each point.
PCA_DIMENSIONS = 50  # UMAP is given so many main directions of the features.


@dataclass(frozen=True, eq=False)
class AtlasMap:
    """Where each point lies on the map, and how faithful the map is.

    Args:
        coordinates: float32 [N, 2], 0..1.
        neighbours_kept: the share of each point's nearest neighbours in feature space that are
            among its nearest on the map, averaged over the points; 1 is a faithful map.
        neighbours_by_chance: the share that a random map would keep.
    """

    coordinates: np.ndarray
    neighbours_kept: float
    neighbours_by_chance: float


def draw_map(features: np.ndarray, seed: int = 0) -> AtlasMap:
    """Lay points out in the plane with UMAP (McInnes et al. 2018), near ones near.

    Args:
        features: float [N, num_features], N >= `MIN_POINTS`.
        seed: the same seed draws the same map.

    Returns:
        The map, with coordinates float32 [N, 2] in 0..1.

    Raises:
        LatentError: too few points.
    """
    if len(features) < MIN_POINTS:
        raise LatentError(
            f"An atlas of {len(features)} points says nothing: use {MIN_POINTS} or more."
        )
    import umap  # The import compiles for seconds, and only an atlas needs it.

    reduced = _reduce(features)
    layout = umap.UMAP(
        n_neighbors=min(NEIGHBOURS, len(features) - 1),
        min_dist=0.1,
        random_state=seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP starts at random where points are few or equal.
        coordinates = layout.fit_transform(reduced)
    coordinates = _to_unit_square(np.asarray(coordinates, np.float32))
    k = min(NEIGHBOURS, len(features) - 1)
    kept = measure_neighbours_kept(features, coordinates, k)
    return AtlasMap(coordinates, kept, k / (len(features) - 1))


def measure_neighbours_kept(features: np.ndarray, coordinates: np.ndarray, k: int) -> float:
    """The mean share of the k nearest in feature space that are among the k nearest on the map.

    Args:
        features: float [N, num_features].
        coordinates: float [N, 2].
        k: 1..N - 1.

    Returns:
        0..1.
    """
    near = find_neighbours(features, features, k + 1)[0]
    drawn_near = find_neighbours(coordinates, coordinates, k + 1)[0]
    rows = range(len(features))
    shared = [len((set(near[i]) - {i}) & (set(drawn_near[i]) - {i})) for i in rows]
    return float(np.mean(shared)) / k


def _reduce(features: np.ndarray) -> np.ndarray:
    """Keep the main directions only, in which UMAP's search for neighbours is quick."""
    dimensions = min(PCA_DIMENSIONS, *features.shape)
    if features.shape[1] <= dimensions:
        return features
    pca = PCA(dimensions, svd_solver="randomized", random_state=0)
    return np.asarray(pca.fit_transform(features))


def _to_unit_square(coordinates: np.ndarray) -> np.ndarray:
    low, high = coordinates.min(0), coordinates.max(0)
    return np.asarray((coordinates - low) / np.maximum(high - low, 1e-12))
