"""Lay points out in the plane with UMAP, from a graph of neighbours that is there already."""

from __future__ import annotations

import importlib
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from latent import find_neighbours

NEIGHBOURS = 15  # UMAP looks at so many neighbours of each point, itself among them.
MIN_DIST = 0.1


# Functions that UMAP compiles at their first call, by the modules that they lie in.
COMPILED = {
    "umap.umap_": ("smooth_knn_dist", "compute_membership_strengths"),
    "umap.layouts": ("_nb_optimize_layout_euclidean_single_epoch",),
}


@dataclass(frozen=True, eq=False)
class NeighbourGraph:
    """The nearest of each point, itself first.

    Args:
        indices: int [N, k].
        distances: float32 [N, k], ascending.
    """

    indices: np.ndarray
    distances: np.ndarray


def import_umap() -> Any:
    """The module `umap`, whose functions are then compiled once for a machine.

    UMAP compiles them anew in every process, which takes a map of some hundred points most of its
    time. What has been compiled lies beside UMAP, or where `NUMBA_CACHE_DIR` says.
    """
    import umap  # The import takes seconds, and only maps need it.

    for module, names in COMPILED.items():
        for name in names:
            function: Any = getattr(importlib.import_module(module), name, None)
            # Other versions may lack it; and no folder for what is compiled may be writable.
            with suppress(AttributeError, RuntimeError):
                if not function.signatures:
                    function.enable_caching()
    return umap


def find_graph(features: np.ndarray, neighbours: int = NEIGHBOURS) -> NeighbourGraph:
    """Find the nearest of each point, exactly.

    Args:
        features: float32 [N, D].
        neighbours: of each point, itself among them; fewer where there are fewer points.
    """
    indices, distances = find_neighbours(features, features, min(neighbours, len(features)))
    return _itself_first(np.asarray(indices), np.asarray(distances, np.float32))


def lay_out(features: np.ndarray, graph: NeighbourGraph, seed: int) -> np.ndarray:
    """Draw the layout of UMAP (McInnes et al. 2018).

    Args:
        features: float32 [N, D], which only tell UMAP how many points there are, and of which kind.
        graph: the nearest of each point.
        seed: the same seed draws the same layout.

    Returns:
        float32 [N, 2] in units of UMAP.
    """
    layout = import_umap().UMAP(
        n_neighbors=graph.indices.shape[1],
        min_dist=MIN_DIST,
        init="spectral",
        random_state=seed,
        n_jobs=1,
        precomputed_knn=(graph.indices, graph.distances),
        force_approximation_algorithm=True,  # Else UMAP computes the graph of few points again.
    )
    with warnings.catch_warnings():
        # UMAP starts at random where points are few or equal, and says that it cannot take further
        # points without an index of its own; ours are placed by `latent.maps.additions`.
        warnings.simplefilter("ignore")
        return np.asarray(layout.fit_transform(features), np.float32)


def carry_on(
    graph: NeighbourGraph, start: np.ndarray, seed: int, epochs: int, rate: float
) -> np.ndarray:
    """Improve a layout that is there for another graph of the same points, as UMAP would.

    `umap.UMAP` stretches every start to a square of ten by ten before it begins, so that a map
    that is narrower than it is high would be pulled apart and back again; here it begins as it is.

    Args:
        graph: the nearest of each point.
        start: float32 [N, 2] in units of UMAP, where each point begins.
        seed: the same seed draws the same layout.
        epochs: rounds of the optimisation, above 0.
        rate: how far a point moves in the first round, as a share of UMAP's own rate.

    Returns:
        float32 [N, 2] in units of UMAP.
    """
    import_umap()
    from umap.layouts import optimize_layout_euclidean
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set, make_epochs_per_sample

    stream = np.random.RandomState(seed)
    count, neighbours = graph.indices.shape
    # The features only tell how many points there are, since their neighbours are given.
    edges = fuzzy_simplicial_set(
        np.empty((count, 0), np.float32),
        neighbours,
        stream,
        "euclidean",
        knn_indices=graph.indices,
        knn_dists=graph.distances,
    )[0].tocoo()
    strong = edges.data >= edges.data.max(initial=0) / epochs  # Weaker ones would never be drawn.
    places = np.array(start, np.float32, order="C")
    return np.asarray(
        optimize_layout_euclidean(
            places,
            places,
            edges.row[strong],
            edges.col[strong],
            epochs,
            count,
            make_epochs_per_sample(edges.data[strong], epochs),
            *find_ab_params(1.0, MIN_DIST),
            stream.randint(-(2**31) + 1, 2**31 - 1, 3).astype(np.int64),
            initial_alpha=rate,
        )
    )


def _itself_first(indices: np.ndarray, distances: np.ndarray) -> NeighbourGraph:
    """Where points are equal, another may have come first: they change places."""
    for row in np.flatnonzero(indices[:, 0] != np.arange(len(indices))):
        found = np.flatnonzero(indices[row] == row)
        at = int(found[0]) if len(found) else indices.shape[1] - 1
        indices[row, at], indices[row, 0] = indices[row, 0], row
        distances[row, 0] = 0
        order = np.argsort(distances[row, 1:], kind="stable") + 1
        indices[row, 1:], distances[row, 1:] = indices[row, order], distances[row, order]
    return NeighbourGraph(indices, distances)
