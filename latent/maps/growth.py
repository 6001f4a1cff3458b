"""Maps of the same points at many batches, in one frame: how neighbourhoods form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from latent.errors import LatentError
from latent.maps.atlas import require_features
from latent.maps.directions import shorten_features
from latent.maps.layout import carry_on, find_graph, lay_out
from latent.nearness.agreement import list_neighbours, measure_agreement
from latent.trust.ranks import compare_ranks

EPOCHS = 200  # Rounds of a map that begins where the one before ended.
RATES = (0.03, 0.06, 0.12, 0.25, 0.5, 1.0)  # As shares of the rate of a map that begins anew.
GAIN = 0.1  # The next rate is taken where it keeps so many more neighbours, as a share.
NEIGHBOURS = 15  # So many nearest of each point are compared.


@dataclass(frozen=True, eq=False)
class GrowthMap:
    """One map of a sequence.

    Args:
        coordinates: float32 [N, 2] in the frame that all maps of the sequence have: the middle of
            the points is 0, and their root mean square distance from it is 1.
        scale: units of UMAP in one unit of the coordinates.
        moved: mean way of a point since the map before; 0 for the first map.
        faithful_each: float32 [N], how well the map keeps who is near each point; 0 by chance.
        neighbours: int32 [N, k], the nearest other points in the space, nearest first.
        kept: the share of these that are among the k nearest on the map as well, 0..1.
    """

    coordinates: np.ndarray
    scale: float
    moved: float
    faithful_each: np.ndarray
    neighbours: np.ndarray
    kept: float

    @property
    def faithful(self) -> float:
        """The area under R_NX between the space and this map, 0 by chance."""
        return float(self.faithful_each.mean(dtype=np.float64))


def draw_growth(sequence: Iterable[np.ndarray], seed: int = 0) -> Iterator[GrowthMap]:
    """Draw maps of the same points one after another, so that points move as the space does.

    Args:
        sequence: features float [N, D] at each batch, of the same points; D may change.
        seed: the same seed draws the same maps.

    Yields:
        A map for each of the sequence, as soon as it is there.

    Raises:
        LatentError: see `draw_next`.
    """
    before: GrowthMap | None = None
    for features in sequence:
        start = None if before is None else (before.coordinates, before.scale)
        before = draw_next(features, start, seed)
        yield before


def draw_next(
    features: np.ndarray, before: tuple[np.ndarray, float] | None, seed: int = 0
) -> GrowthMap:
    """Draw the map that follows another one, or the first.

    Its layout begins where the one before ended, and moves as carefully as it may: points go
    farther only where the map would keep many more neighbours by that. Then size is taken out of
    it: it is scaled to the same root mean square radius, and turned, mirrored and shifted onto the
    one before, so that only what changed in the space moves.

    Args:
        features: float [N, D].
        before: coordinates and scale of the map before, of the same points; None for the first.
        seed: the same seed draws the same map.

    Raises:
        LatentError: too few points, another number of them, or numbers that are not finite.
    """
    require_features(features)
    if before is not None and len(features) != len(before[0]):
        raise LatentError(
            f"A map of {len(features)} points cannot follow one of {len(before[0])}: the points "
            "have to be the same at every batch."
        )
    kept, _ = shorten_features(features)
    if before is None:
        places, scale = normalise(lay_out(kept, find_graph(kept), seed))
        return describe_map(kept, places, scale)
    laid = _follow(kept, before[0] * np.float32(before[1]), seed)
    places = align(laid, before[0])
    return describe_map(kept, places, normalise(laid)[1], measure_movement(before[0], places))


def describe_map(
    features: np.ndarray, places: np.ndarray, scale: float, moved: float = 0.0
) -> GrowthMap:
    """A map that is drawn, with what it says of the space.

    Args:
        features: float32 [N, D].
        places: float32 [N, 2].
        scale, moved: see `GrowthMap`.
    """
    near = near_of(features)
    each = compare_ranks(features, places).area_each
    return GrowthMap(places, scale, moved, each, near.astype(np.int32), _share_kept(near, places))


def _follow(features: np.ndarray, start: np.ndarray, seed: int) -> np.ndarray:
    """The layout that begins with another one, at the lowest rate that will do."""
    graph, near = find_graph(features), near_of(features)
    laid = carry_on(graph, start, seed, EPOCHS, RATES[0])
    kept = _share_kept(near, laid)
    for rate in RATES[1:]:
        further = carry_on(graph, start, seed, EPOCHS, rate)
        better = _share_kept(near, further)
        if better < (1 + GAIN) * kept:
            break
        laid, kept = further, better
    return laid


def _share_kept(near: np.ndarray, places: np.ndarray) -> float:
    return measure_agreement(near, near_of(places)).shared


def near_of(points: np.ndarray) -> np.ndarray:
    """The nearest others of each point, NEIGHBOURS or as many as say something: int [N, k]."""
    return list_neighbours(points, min(NEIGHBOURS, len(points) - 2))


def normalise(places: np.ndarray) -> tuple[np.ndarray, float]:
    """Places with their middle at 0 and a root mean square radius of 1.

    Args:
        places: float [N, 2].

    Returns:
        (float32 [N, 2], the radius that they had). Places that are all one stay one.
    """
    own = places - places.mean(0, dtype=np.float64)
    radius = float(np.sqrt((own**2).sum(1).mean()))
    return np.asarray(own / (radius or 1.0), np.float32), radius


def align(places: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Turn, mirror and shift places onto others of the same points, both of radius 1.

    The size is that of the radius and not the one that fits best (Procrustes, Gower 1975): the
    best one is smaller where the two differ more, and would hide how far points move.

    Args:
        places, target: float [N, 2].

    Returns:
        float32 [N, 2], as `normalise` gives them.
    """
    own, aim = normalise(places)[0], normalise(target)[0]
    left, _, right = np.linalg.svd(own.T.astype(np.float64) @ aim)
    return np.asarray(own @ left @ right, np.float32)


def measure_movement(before: np.ndarray, after: np.ndarray) -> float:
    """The mean way of a point from one map to the next, as a share of the maps' radius.

    Both are moved to one middle and scaled to one root mean square radius first; two maps that
    have nothing to do with each other are about 1.25 apart.

    Args:
        before, after: float [N, 2].
    """
    way = normalise(after)[0] - normalise(before)[0]
    return float(np.linalg.norm(way, axis=1).mean(dtype=np.float64))
