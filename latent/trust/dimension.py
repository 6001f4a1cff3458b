"""Estimate how many directions points really fill."""

from __future__ import annotations

import numpy as np

TRUSTED_SHARE = 0.9  # The largest ratios are of strays, and are left out.


def estimate_dimension(distances: np.ndarray) -> float:
    """Estimate the intrinsic dimension from two neighbours of each point (Facco et al. 2017).

    Where density hardly changes between a point's nearest and second nearest neighbour, the ratio
    mu of their distances has the distribution F(mu) = 1 - mu^-d; d is the slope of
    -log(1 - F) against log mu through the origin.

    Args:
        distances: float [N, k], k of 2 or more, to the neighbours of each point, the nearest first.

    Returns:
        The dimension, above 0; 0 where it cannot be told, as all points are equal.
    """
    nearest, second = distances[:, 0].astype(np.float64), distances[:, 1].astype(np.float64)
    apart = nearest > 0
    logs = np.sort(np.log(second[apart] / nearest[apart]))
    shares = np.arange(1, len(logs) + 1) / (len(logs) + 1)
    kept = shares <= TRUSTED_SHARE
    x, y = logs[kept], -np.log1p(-shares[kept])
    total = float(x @ x)
    return float(x @ y) / total if total > 0 else 0.0
