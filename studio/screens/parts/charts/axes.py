"""What lies along the curves of a run: its batches, the pictures that it has seen, or time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from studio.screens.parts.charts.scales import Span

Metrics = Sequence[Mapping[str, Any]]

BATCH, PICTURES, TIME = "batch", "pictures", "time"
AXES = {BATCH: "batches", PICTURES: "pictures seen", TIME: "hours"}
_SPANS = {BATCH: Span.of_batches, PICTURES: Span.of_pictures, TIME: Span.of_seconds}


def values_of(metrics: Metrics, name: str) -> np.ndarray:
    """A metric of each batch: float [N]; not a number where it was not written down."""
    unknown = np.nan
    return np.array([entry.get(name, unknown) for entry in metrics], float)


def places_along(metrics: Metrics, axis: str) -> np.ndarray:
    """Where each batch of a run stands, ascending: float [N].

    Args:
        metrics: those of all batches, ascending.
        axis: a key of AXES. Of pictures, those since the first batch of `metrics` are counted;
            time is that of training alone, in seconds.
    """
    if axis == BATCH:
        return values_of(metrics, "batch")
    seconds = np.nan_to_num(values_of(metrics, "seconds"))
    if axis == TIME:
        return np.cumsum(seconds)
    return np.cumsum(np.round(seconds * np.nan_to_num(values_of(metrics, "pictures_per_s"))))


def span_along(axis: str, places: np.ndarray) -> Span:
    """From the first to the last of some places, float [N], N >= 1."""
    return _SPANS[axis](float(places[0]), float(places[-1]))
