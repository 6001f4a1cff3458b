"""Steps of trainings as they were timed, and how fast their data are read without them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

Steps = list[tuple[float, float]]  # Seconds of each step, and those that it waited for data.


def seconds_of(steps: Steps) -> float:
    """The median step's."""
    return median(seconds for seconds, _ in steps)


def summary(steps: Steps, batch_size: int) -> dict[str, float]:
    """Pictures a second by the median step, and the share of all time that was spent waiting."""
    seconds, waited = (sum(values) for values in zip(*steps, strict=True))
    return {
        "pictures_per_s": round(batch_size / seconds_of(steps), 2),
        "share_waiting_for_data": round(waited / seconds, 4),
    }


def drain(batches: Iterator[Any], count: int, batch_size: int, ahead: int) -> float:
    """Pictures a second that are read.

    Args:
        ahead: so many batches were read before anybody asked, and are taken first.
    """
    for _ in range(ahead):
        next(batches)
    began = time.perf_counter()
    for _ in range(count):
        next(batches)
    return round(count * batch_size / (time.perf_counter() - began), 1)
