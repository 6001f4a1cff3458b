"""Does a cloud of points differ from a Gaussian of the same covariance?

Of all clouds with one covariance the Gaussian has the largest entropy, and entropy shows in how far
neighbours are apart (Kozachenko and Leonenko 1987): clusters, surfaces and filaments all bring
them nearer. So the mean log distance to the k-th neighbour is compared with the same of reference
clouds, in the first 2, 5, 10, 20 and 50 main directions, and the largest difference counts.

The references are exact, though the covariance is only known from the points. Given its sample mean
and covariance, a Gaussian sample is distributed as Q S V, with S and V from its singular value
decomposition, and Q uniform among the matrices with orthonormal columns that sum to zero. Each
reference draws another Q, so it has the very mean and covariance of the points, and p is valid for
any number of points and dimensions (a co-sufficient test: Lindqvist and Rannestad 2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

from latent.trust.dimension import estimate_dimension
from latent.trust.ranks import squared_distances

LEVEL = 0.01  # Structure is said to be there at this p or below.
REFERENCES = 99  # Clouds that the points are compared with; the smallest p is 1 / 100.
MAX_POINTS = 512  # A sample of so many is looked at; rows up to this length are sorted fastest.
VIEWS = (2, 5, 10, 20, 50)  # Main directions that are looked at together.
NEIGHBOURS = (3, 10, 30)  # Small, middle and large scales; fewer where there are few points.
MIN_POINTS = 10
NEGLIGIBLE = 1e-6  # A direction with less than this share of the first one's spread is rounding.
BLOCK = 100  # Rows whose distances are held at a time, so that they stay in the cache.


@dataclass(frozen=True)
class Structure:
    """Whether a cloud of points has a structure that a Gaussian of its covariance has not.

    Args:
        found: p is at most LEVEL.
        p: the share of Gaussian clouds, this one among them, that look at least as structured.
        effect: by how many of their standard deviations it differs from the references, where it
            differs most.
        nearness: how far neighbours are apart there, as a share of the same in the references;
            below 1 they are nearer.
        directions: how many main directions were looked at there.
        dimension: how many directions the points fill (TwoNN).
        reference_dimension: the same of the references.
    """

    found: bool
    p: float
    effect: float
    nearness: float
    directions: int
    dimension: float
    reference_dimension: float


def find_structure(features: np.ndarray, seed: int = 0, references: int = REFERENCES) -> Structure:
    """Test whether points differ from a Gaussian of the same covariance.

    Args:
        features: float [N, D]; of more than MAX_POINTS, a sample is tested.
        seed: chooses the sample and the references.
        references: how many Gaussian clouds to compare with.

    Returns:
        The verdict with its p and effect. Points that are too few or all equal have no structure.
    """
    # Many small products: threads of the library would cost more than they bring.
    with threadpool_limits(1, user_api="blas"):
        return _find_structure(_take_sample(features, seed), seed, references)


def _find_structure(sample: np.ndarray, seed: int, references: int) -> Structure:
    scores, spreads = main_scores(sample)
    if len(sample) < MIN_POINTS or not len(spreads):
        return Structure(False, 1.0, 0.0, 1.0, 0, 0.0, 0.0)
    own, dimension = measure_scales(scores * spreads)
    others, dimensions = _measure_references(len(sample), spreads.tobytes(), seed, references)
    pooled = np.vstack([own, others])
    # Every cloud is compared with the same mean and deviation, in which each has the same part:
    # so under the null hypothesis all ranks of the first are equally likely.
    deviations = np.maximum(pooled.std(0), 1e-12)
    effects = ((pooled.mean(0) - pooled) / deviations).max(1)
    p = float((effects >= effects[0]).mean())
    apart = (others.mean(0) - own) / np.maximum(others.std(0), 1e-12)
    most = int(apart.argmax())
    views = _views(scores.shape[1])
    return Structure(
        found=p <= LEVEL,
        p=p,
        effect=float(apart[most]),
        nearness=float(np.exp(own[most] - others[:, most].mean())),
        directions=views[most // (len(own) // len(views))],
        dimension=dimension,
        reference_dimension=float(dimensions.mean()),
    )


def main_scores(sample: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The main directions of points: float64 [N, r] with orthonormal columns, and [r] spreads."""
    centred = sample - sample.mean(0)
    if centred.shape[1] > len(centred):  # The small matrix of products has the same directions.
        values, vectors = np.linalg.eigh(centred @ centred.T)
        scores, spreads = vectors[:, ::-1], np.sqrt(np.maximum(values[::-1], 0))
    else:
        scores, spreads, _ = np.linalg.svd(centred, full_matrices=False)
    most = min(VIEWS[-1], len(sample) - 2)
    kept = (spreads > NEGLIGIBLE * max(spreads[0], 1e-30))[:most]
    return scores[:, :most][:, kept], spreads[:most][kept]


def measure_scales(points: np.ndarray) -> tuple[np.ndarray, float]:
    """How far neighbours are apart, at each scale in each view.

    Args:
        points: float [N, r], the columns being main directions, the largest first.

    Returns:
        (mean log distances float64 [views * scales], the intrinsic dimension in the last view).
    """
    points = points.astype(np.float32)
    views, scales = _views(points.shape[1]), _scales(len(points))
    totals = np.zeros((len(views), len(scales)))
    nearest = np.empty((len(points), 2))
    for start in range(0, len(points), BLOCK):
        rows = slice(start, start + BLOCK)
        distances, first = np.zeros((len(points[rows]), len(points)), np.float32), 0
        for view, last in enumerate(views):
            part = np.ascontiguousarray(points[:, first:last])
            distances += squared_distances(part[rows], part)
            # Rounding may leave a point a little away from itself.
            distances[np.arange(len(distances)), np.arange(start, start + len(distances))] = 0
            ordered = np.sort(distances, axis=1)
            near = np.maximum(ordered[:, scales], np.finfo(np.float32).tiny)
            totals[view] += np.log(near, dtype=np.float64).sum(0) / 2
            first = last
        nearest[rows] = np.sqrt(ordered[:, 1:3])
    return totals.ravel() / len(points), estimate_dimension(nearest)


@lru_cache(maxsize=8)
def _measure_references(
    count: int, spreads: bytes, seed: int, references: int
) -> tuple[np.ndarray, np.ndarray]:
    """The scales and dimensions of Gaussian clouds with these spreads; kept, as nothing else tells.

    Returns:
        (float64 [references, views * scales], float64 [references]).
    """
    lengths = np.frombuffer(spreads)
    stream = np.random.default_rng([seed, 1])
    measured = [
        measure_scales(_draw_directions(stream, count, len(lengths)) * lengths)
        for _ in range(references)
    ]
    return np.array([scales for scales, _ in measured]), np.array([d for _, d in measured])


def _draw_directions(stream: np.random.Generator, count: int, width: int) -> np.ndarray:
    """Orthonormal columns that sum to zero, uniformly drawn: float64 [count, width]."""
    normal = stream.standard_normal((count, width))
    normal -= normal.mean(0)
    q, r = np.linalg.qr(normal)
    return np.asarray(q * np.where(np.diag(r) < 0, -1, 1))


def _take_sample(features: np.ndarray, seed: int) -> np.ndarray:
    if len(features) > MAX_POINTS:
        chosen = np.random.default_rng([seed, 0]).choice(len(features), MAX_POINTS, replace=False)
        features = features[np.sort(chosen)]
    return np.asarray(features, np.float64)


def _views(width: int) -> list[int]:
    """How many main directions each view has, of those that there are."""
    return sorted({min(view, width) for view in VIEWS})


def _scales(count: int) -> list[int]:
    """Which neighbours are looked at, of those that there are."""
    return sorted({min(k, (count - 1) // 2) for k in NEIGHBOURS})
