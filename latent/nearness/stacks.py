"""Stacks of near-duplicates: points that lie within a distance of each other, found exactly."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from latent.errors import LatentError
from latent.nearness.distances import measure_table
from latent.nearness.neighbours import find_neighbours

FIRST, GROWTH = 8, 4  # So many neighbours are looked at first, and so many times more again.
MAX_SAMPLED = 512  # The median distance is taken over so many rows at most.


def find_stacks(features: np.ndarray, within: float, metric: str = "euclidean") -> list[np.ndarray]:
    """Group rows that lie near each other: single linkage cut at a distance (Sneath 1957).

    Two rows are in one stack where a chain of rows leads from one to the other, each within the
    distance of the next; so the ends of a long chain may be further apart.

    Args:
        features: float [N, num_features].
        within: the largest distance of one link, 0 or more.
        metric: one of `latent.nearness.distances.METRICS`.

    Returns:
        int64 arrays of the rows of each stack of two or more, ascending; the largest stack first,
        then by the first row.

    Raises:
        LatentError: a negative or infinite distance, no such metric, or no rows.
    """
    if not 0 <= within < np.inf:
        raise LatentError(f"Duplicates lie within a distance of 0 or more, not {within:g}.")
    size = len(features)
    links: list[np.ndarray] = []
    asked, k = np.arange(size), min(size, FIRST)
    while len(asked):
        found, distances = find_neighbours(features, features[asked], k, metric)
        near = distances <= within
        links.append(np.stack([np.repeat(asked, near.sum(1)), found[near]]))
        asked = asked[near[:, -1]] if k < size else asked[:0]  # These may have more of them.
        k = min(size, GROWTH * k)
    rows, columns = np.concatenate(links, 1)
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    order = np.argsort(labels, kind="stable")
    stacks = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted(
        (stack for stack in stacks if len(stack) > 1), key=lambda stack: (-len(stack), stack[0])
    )


def measure_median(features: np.ndarray, metric: str = "euclidean") -> float:
    """The median distance between two rows; 0 where there is one row.

    Args:
        features: float [N, num_features]; of more than MAX_SAMPLED rows every few are taken.
        metric: one of `latent.nearness.distances.METRICS`.

    Raises:
        LatentError: no such metric.
    """
    some = features[:: -(-len(features) // MAX_SAMPLED)]
    pairs = np.triu_indices(len(some), 1)
    return float(np.median(measure_table(some, metric=metric)[pairs])) if len(some) > 1 else 0.0
