"""Draw a flat map of latent points, and measure how far it may be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latent.errors import LatentError
from latent.maps.directions import shorten_features, to_unit_square
from latent.maps.layout import NeighbourGraph, find_graph, lay_out
from latent.trust.ranks import RankAgreement, compare_ranks
from latent.trust.structure import Structure, find_structure
from latent.trust.verdict import tell_trust

MIN_POINTS = 10
REPEATS = 2  # Further maps that tell how repeatable this one is.
REPEATED_POINTS = 1_000  # They show so many of the points at most.


@dataclass(frozen=True, eq=False)
class AtlasMap:
    """Where each point lies on a map, and how far the map may be believed.

    Args:
        coordinates: float32 [N, 2], 0..1.
        agreement: who is near whom, on the map and in the space; see `compare_ranks`.
        structure_found: how the space differs from a Gaussian; see `find_structure`.
        repeatable: how far maps of other seeds agree, 0 by chance and 1 wholly.
        variance_kept: the share of the features' variance that was looked at, 0..1.
        features: float32 [N, r], what was looked at.
        graph: the nearest of each point in the space.
    """

    coordinates: np.ndarray
    agreement: RankAgreement
    structure_found: Structure
    repeatable: float
    variance_kept: float
    features: np.ndarray
    graph: NeighbourGraph

    @property
    def faithful(self) -> float:
        """How well the map keeps who is near whom, at all scales; 0 by chance, 1 wholly."""
        return float(np.clip(self.agreement.area, 0, 1))

    @property
    def faithful_each(self) -> np.ndarray:
        """The same for each point: float32 [N], 0..1."""
        return np.asarray(np.clip(self.agreement.area_each, 0, 1), np.float32)

    @property
    def trustworthiness(self) -> float:
        """1 where whatever is near on the map is near in the space."""
        return self.agreement.trustworthiness

    @property
    def continuity(self) -> float:
        """1 where whatever is near in the space is near on the map."""
        return self.agreement.continuity

    @property
    def structure(self) -> bool:
        """Whether the space differs from a Gaussian of the same covariance."""
        return self.structure_found.found

    @property
    def structure_p(self) -> float:
        """The p of the test that says so."""
        return self.structure_found.p

    @property
    def verdict(self) -> str:
        """One sentence on how far the map may be believed."""
        return tell_trust(self.faithful, self.structure_found, self.repeatable)


def draw_map(features: np.ndarray, seed: int = 0) -> AtlasMap:
    """Lay points out in the plane with UMAP (McInnes et al. 2018), near ones near.

    Args:
        features: float [N, D], N >= MIN_POINTS. Of more than 512 numbers, the 256 main directions
            are looked at.
        seed: the same seed draws the same map.

    Returns:
        The map, with its trust.

    Raises:
        LatentError: too few points, or numbers that are not finite.
    """
    require_features(features)
    kept, share = shorten_features(features)
    graph = find_graph(kept)
    coordinates = to_unit_square(lay_out(kept, graph, seed))
    return AtlasMap(
        coordinates,
        compare_ranks(kept, coordinates, seed=seed),
        find_structure(kept, seed),
        measure_repeatability(kept, coordinates, seed),
        share,
        kept,
        graph,
    )


def measure_repeatability(features: np.ndarray, coordinates: np.ndarray, seed: int) -> float:
    """How far maps of other seeds agree about who is near whom.

    Few points are drawn again with other seeds, and compared with the map that is there. Of many, a
    sample is drawn several times, and those maps are compared with each other.

    Args:
        features: float32 [N, D].
        coordinates: float32 [N, 2], the map that was drawn with `seed`.

    Returns:
        The mean area under R_NX between maps, 0..1; 0 by chance.
    """
    maps, others = [coordinates], REPEATS
    if len(features) > REPEATED_POINTS:
        stream = np.random.default_rng([seed, 2])
        features = features[stream.choice(len(features), REPEATED_POINTS, replace=False)]
        maps, others = [], REPEATS + 1
    graph = find_graph(features)
    # Seeds of UMAP are below 2^32.
    maps += [lay_out(features, graph, (seed + 1 + n) % (1 << 32)) for n in range(others)]
    areas = [compare_ranks(maps[0], other).area for other in maps[1:]]
    return float(np.clip(np.mean(areas), 0, 1))


def require_features(features: np.ndarray) -> None:
    """Refuse features of which no map can be drawn.

    Args:
        features: float [N, D].

    Raises:
        LatentError: too few points, or numbers that are not finite.
    """
    if features.ndim != 2 or len(features) < MIN_POINTS:
        raise LatentError(
            f"An atlas of {len(features)} points says nothing: use {MIN_POINTS} or more."
        )
    if not np.isfinite(features).all():
        raise LatentError(
            "Features hold numbers that are not finite, so nothing is near: leave those points out."
        )
