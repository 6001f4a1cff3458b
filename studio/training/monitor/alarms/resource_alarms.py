"""Alarms that time and the disk give."""

from __future__ import annotations

from collections import deque

import numpy as np

from studio.training.monitor.alarms.alarm import Latch, Metrics


class Slower:
    """Fewer than half as many pictures a second as there were, for tens of batches.

    Medians, so that a checkpoint, a preview or a pause that takes long is no drop.
    """

    name = "Slower"
    BATCHES = 100  # of which half are slow: other work that passes is no drop
    DROPPED, BACK = 0.5, 0.7

    def __init__(self) -> None:
        self._latch = Latch()
        self._best = 0.0
        self._recent: deque[float] = deque(maxlen=self.BATCHES)

    def look(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        if "pictures_per_s" not in metrics:
            return None
        self._recent.append(metrics["pictures_per_s"])
        if len(self._recent) < self.BATCHES:
            return None
        now = float(np.median(self._recent))
        self._best = max(self._best, now)
        if not self._latch.closes(now < self.DROPPED * self._best, now > self.BACK * self._best):
            return None
        return (
            f"{now:,.1f} pictures a second over the last {self.BATCHES} batches, where there were "
            f"{self._best:,.1f}. Look at what else uses this machine, at its heat, and at which "
            "phase of a batch grew (data, D, G, checkpoint, frames)."
        )


class DiskFull:
    """The disk will be full before the run is at its end."""

    name = "Disk full"
    ROOM = 1.05  # of what is wanted: the forecast wavers

    def __init__(self) -> None:
        self._latch = Latch()

    def look_at_disk(self, full_at: int, wanted: int) -> str | None:
        """What to say where the batch without room has just come below the wanted last one."""
        if not self._latch.closes(full_at <= wanted, full_at > self.ROOM * wanted):
            return None
        return (
            f"there is room for checkpoints up to batch {full_at - 1:,} of {wanted:,}. Make room, "
            "thin runs that are there (studio thin RUN --every 2), or raise checkpoint_every; "
            "training pauses when the disk is full."
        )
