"""Keep the main directions of features: quick to search in, small to hold, and the first map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

MAX_PLAIN = 512  # Features of up to so many numbers are kept as they are.
MAX_DIRECTIONS = 256  # Of longer ones, so many directions are kept.
SAMPLE = 2_000  # Directions are found from so many points.


@dataclass(frozen=True, eq=False)
class MainDirections:
    """The directions in which features vary most, the first most of all.

    Args:
        mean: float32 [D].
        axes: float32 [D, r], orthonormal columns.
        share: how much of the variance they hold, 0..1; known from the points they were found from.
    """

    mean: np.ndarray
    axes: np.ndarray
    share: float

    def project(self, features: np.ndarray) -> np.ndarray:
        """Features float [N, D] -> float32 [N, r]."""
        return np.asarray((np.asarray(features, np.float32) - self.mean) @ self.axes)


def find_directions(
    features: np.ndarray, most: int = MAX_DIRECTIONS, sample: int = SAMPLE
) -> MainDirections:
    """Find the main directions of features (PCA), from some of them where they are many.

    Args:
        features: float [N, D]; of more than `sample` points, evenly spaced ones are looked at.
        most: how many directions to keep at most.

    Returns:
        Directions, of which the last may be without variance where the points are few or equal.
    """
    if len(features) > sample:
        features = features[np.linspace(0, len(features) - 1, sample).astype(int)]
    mean = features.mean(0, dtype=np.float64).astype(np.float32)
    centred = np.asarray(features, np.float32) - mean
    is_tall = centred.shape[1] <= len(centred)
    # The products of points with points have the same directions, and may be fewer.
    products = (centred.T @ centred if is_tall else centred @ centred.T).astype(np.float64)
    width = len(products)
    values, axes = eigh(products, subset_by_index=[max(0, width - most), width - 1])
    values, axes = np.maximum(values[::-1], 0), axes[:, ::-1]
    if not is_tall:
        lengths = np.sqrt(np.maximum(values, values[0] * 1e-12 + 1e-30))
        axes = centred.T @ (axes / lengths).astype(np.float32)
    total = float(np.trace(products))
    share = min(1.0, float(values.sum()) / total) if total > 0 else 1.0
    # Each axis points to where its largest number is positive, so that a map is not mirrored.
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    axes = np.ascontiguousarray(axes * np.where(signs == 0, 1, signs), np.float32)
    return MainDirections(mean, axes, share)


def shorten_features(features: np.ndarray) -> tuple[np.ndarray, float]:
    """Features that are quick to search: as they are, or their main directions where they are long.

    Returns:
        (float32 [N, r], the share of the variance that was kept).
    """
    if features.shape[1] <= MAX_PLAIN:
        return np.asarray(features, np.float32), 1.0
    directions = find_directions(features)
    return directions.project(features), directions.share


def first_view(features: np.ndarray) -> np.ndarray:
    """The map of the two main directions, which is there at once.

    Args:
        features: float [N, D].

    Returns:
        float32 [N, 2], 0..1; the directions keep their proportion.
    """
    flat = find_directions(features, most=2).project(features)
    flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    return to_unit_square(flat, keep_shape=True)


def to_unit_square(coordinates: np.ndarray, keep_shape: bool = False) -> np.ndarray:
    """Move and scale places into 0..1.

    Args:
        coordinates: float [N, 2].
        keep_shape: scale both directions alike, and put the narrower one in the middle.

    Returns:
        float32 [N, 2].
    """
    low, high = coordinates.min(0), coordinates.max(0)
    size = np.maximum(high - low, 1e-12)
    if keep_shape:
        low, size = (low + high - size.max()) / 2, np.full(2, size.max())
    return np.asarray(np.clip((coordinates - low) / size, 0, 1), np.float32)
