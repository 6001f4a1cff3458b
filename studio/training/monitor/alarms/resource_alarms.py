"""Alarms about resources: training has become slower, or the disk will be full."""

from __future__ import annotations

from collections import deque

import numpy as np

from studio.training.monitor.alarms.alarm import Latch, Metrics


class SpeedAlarm:
    """Fewer than half as many pictures a second as there were, for tens of batches.

    Medians are compared, so that a slow checkpoint, preview or pause is no drop.
    """

    name = "Slower"
    BATCHES = 100  # Half of these have to be slow; other work that soon passes is no drop.
    DROPPED, BACK = 0.5, 0.7  # Fractions of the best speed.

    def __init__(self) -> None:
        self._latch = Latch()
        self._best = 0.0
        self._recent: deque[float] = deque(maxlen=self.BATCHES)

    def check(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        """See `Detector.check`."""
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
            "phase of a batch grew, among the curves of its time."
        )


class DiskSpaceAlarm:
    """The disk will be full before the last batch of the run."""

    name = "Disk full"
    ROOM = 1.05  # The cause has gone where there is room for this many times the run's batches.

    def __init__(self) -> None:
        self._latch = Latch()

    def check_disk(self, full_at: int, wanted: int) -> str | None:
        """The text of an alarm whose cause has just come; None otherwise.

        Args:
            full_at: the first batch whose checkpoint has no room.
            wanted: the last batch of the run.
        """
        if not self._latch.closes(full_at <= wanted, full_at > self.ROOM * wanted):
            return None
        return (
            f"there is room for checkpoints up to batch {full_at - 1:,} of {wanted:,}. Make room, "
            "thin runs that are there (studio thin RUN --every 2), or raise checkpoint_every; "
            "training pauses when the disk is full."
        )
