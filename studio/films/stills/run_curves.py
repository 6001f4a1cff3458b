"""The curves that tell most of a run, and their values, for pictures of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

LEAST_VALUES = 8  # A curve of fewer says nothing.
MAX_POINTS = 200  # Means of neighbours, so that a curve is calm.


class RunCurve(NamedTuple):
    """Metrics in one panel: its title, and (metric, what it is called, its colour) each."""

    title: str
    series: tuple[tuple[str, str, str], ...]


CURVES = (
    RunCurve(
        "Losses",
        (("d_real", "D, real", "#2f6a83"), ("d_fake", "D, fake", "#8a5a14"), ("g", "G", "#a44c35")),
    ),
    RunCurve("Sliced Wasserstein distance to the data", (("swd", "", "#a44c35"),)),
    RunCurve("Change from batch to batch, rms of 255", (("change", "", "#a44c35"),)),
)


def metric_values(metrics: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Batches and finite values of a metric: float [N, 2]."""
    found = [
        (entry["batch"], float(entry[name]))
        for entry in metrics
        if isinstance(entry.get(name), int | float)
    ]
    values = np.array(found, float).reshape(-1, 2)
    finite: np.ndarray = values[np.isfinite(values[:, 1])]
    return finite


def smooth_values(values: np.ndarray) -> np.ndarray:
    """At most MAX_POINTS means of neighbours, float [N, 2] -> float [M, 2]."""
    groups = np.array_split(values, min(len(values), MAX_POINTS))
    return np.array([group.mean(0) for group in groups])
