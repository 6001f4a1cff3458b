"""Distances between descriptions of latent points, in float64: what all searches are held to."""

from __future__ import annotations

import numpy as np

from latent.errors import LatentError

METRICS = ("euclidean", "cosine")
BLOCK_NUMBERS = 1 << 21  # So many numbers are worked on at a time.
MAX_REFERENCES = 10_000  # The median distance is taken over so many rows at most.


def require_metric(metric: str) -> None:
    """Refuse a metric that there is not.

    Raises:
        LatentError: it is none of METRICS.
    """
    if metric not in METRICS:
        raise LatentError(f"There is no metric '{metric}'. Known: {', '.join(METRICS)}.")


def measure_pairs(a: np.ndarray, b: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """Measure the distance of each row to the row beside it.

    The cosine distance, one less the cosine of the angle, is computed as half the squared distance
    of the two directions: it is the same number, and small ones keep their digits. A row of zeros
    has no direction; its cosine distance to anything is 1.

    Args:
        a, b: float [N, num_features], or one of them [1, num_features].
        metric: one of METRICS.

    Returns:
        float64 [N].

    Raises:
        LatentError: no such metric.
    """
    require_metric(metric)
    size = max(len(a), len(b))
    step = max(1, BLOCK_NUMBERS // max(1, a.shape[1]))
    found = np.empty(size)
    for start in range(0, size, step):
        part = slice(start, start + step)
        left, right = (rows if len(rows) == 1 < size else rows[part] for rows in (a, b))
        found[part] = _measure(left.astype(np.float64), right.astype(np.float64), metric)
    return found


def measure_table(
    features: np.ndarray, others: np.ndarray | None = None, metric: str = "euclidean"
) -> np.ndarray:
    """Measure the distance of every row to every other, such as for a table of cities.

    Args:
        features: float [N, num_features].
        others: float [M, num_features]; the same rows by default.
        metric: one of METRICS.

    Returns:
        float64 [N, M].

    Raises:
        LatentError: no such metric.
    """
    others = features if others is None else others
    return np.stack([measure_pairs(others, row[None], metric) for row in features])


def measure_concentration(
    nearest: np.ndarray, features: np.ndarray, query: np.ndarray, metric: str = "euclidean"
) -> float:
    """How much nearer the nearest row is than an ordinary one (Beyer et al. 1999).

    In many dimensions all distances become alike: a ratio near 1 says that "nearest" means little.

    Args:
        nearest: float [Q], the distance of each query to its nearest row.
        features: float [N, num_features]; of more than MAX_REFERENCES rows every few are taken.
        query: float [Q, num_features].
        metric: one of METRICS.

    Returns:
        The nearest distance over the median distance, its median over the queries; 0..1, and 1
        where all distances are zero.
    """
    references = features[:: -(-len(features) // MAX_REFERENCES)]
    medians = [np.median(measure_pairs(references, row[None], metric)) for row in query]
    ratios = [near / far if far > 0 else 1.0 for near, far in zip(nearest, medians, strict=True)]
    return float(min(1.0, np.median(ratios)))


def _measure(a: np.ndarray, b: np.ndarray, metric: str) -> np.ndarray:
    if metric == "euclidean":
        return np.asarray(np.sqrt(((a - b) ** 2).sum(-1)))
    lengths = [np.sqrt((rows**2).sum(-1, keepdims=True)) for rows in (a, b)]
    left, right = (
        np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
        for rows, length in zip((a, b), lengths, strict=True)
    )
    halves = ((left - right) ** 2).sum(-1) / 2
    directed = ((lengths[0] > 0) & (lengths[1] > 0))[..., 0]
    return np.where(directed, halves, 1.0)
