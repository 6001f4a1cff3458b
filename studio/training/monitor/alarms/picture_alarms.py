"""Alarms about the fixed points' pictures: mode collapse, and no visible progress."""

from __future__ import annotations

from collections import deque

import numpy as np

from studio.runs.config import TrainingConfig
from studio.training.monitor.alarms.alarm import Latch, Metrics, RunningMean
from studio.training.monitor.observations import rms
from studio.training.recipes.recipe import MODE_COLLAPSE, NO_PROGRESS


class ModeCollapseAlarm:
    """The fixed points' pictures, once different, have become alike, or never came to differ.

    The first pictures of a network are all the same grey, hence a patience at the beginning. The
    differences of blurred pictures are no measure for those of sharp ones (a young G draws bold
    patches), hence a peak that is slowly forgotten.
    """

    name = MODE_COLLAPSE
    MEMORY = 20  # Batches that the diversity is averaged over.
    FALLEN, RISEN = 0.35, 0.5  # Fractions of the peak; healthy runs stay above 0.7.
    # The peak's decay at each batch: half of what lies above today's diversity is gone after 3,500.
    FORGETS = 0.9998
    ALIKE, DIFFERENT = 1.0, 2.0  # RMS of 255; below one level nobody sees a difference.
    PATIENCE = 300  # Batches in which pictures have to come to differ.
    GONE = 100  # Batches in a row with diversity, before the alarm may sound again.

    def __init__(self) -> None:
        self._latch = Latch(self.GONE)
        self._diversity = RunningMean(self.MEMORY)
        self._peak = 0.0

    def check(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        """See `Detector.check`."""
        if metrics.get("diversity") is None:
            return None
        now = self._diversity.add(metrics["diversity"])
        self._peak = max(now, self.FORGETS * self._peak)
        fallen = self._peak > self.DIFFERENT and now < self.FALLEN * self._peak
        never = self._diversity.count > self.PATIENCE and now < self.ALIKE
        if not self._latch.closes(
            fallen or never, now > max(self.DIFFERENT, self.RISEN * self._peak)
        ):
            return None
        return (
            f"pictures of the fixed points differ by {now:.1f} of 255 now, and by "
            f"{self._peak:.1f} at their best. Try minibatch_stddev, a gradient_penalty, "
            "augmentation, or go on from an earlier batch with lower learning rates."
        )


class NoProgressAlarm:
    """The pictures are those of `progress_batches` before, and of the time between.

    Pictures are kept from every eighth of that time, so at most nine of them.

    Args:
        config: its progress_batches.
    """

    name = NO_PROGRESS
    # RMS of 255 over 16 x 16 pixels; the pictures of healthy runs move by 10 and more.
    SAME, OTHER = 1.0, 2.0
    KEPT = 8

    def __init__(self, config: TrainingConfig) -> None:
        self.batches = config.progress_batches
        self._latch = Latch()
        self._kept: deque[tuple[int, np.ndarray]] = deque(maxlen=self.KEPT + 1)

    def check(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        """See `Detector.check`."""
        if small is None or (self._kept and (batch - self._kept[-1][0]) * self.KEPT < self.batches):
            return None
        if self._kept and self._kept[-1][1].shape != small.shape:
            self._kept.clear()
        self._kept.append((batch, small))
        then, _ = self._kept[0]
        if batch - then < self.batches:
            return None
        moved = max(rms(small - pictures) for _, pictures in self._kept)
        if not self._latch.closes(moved < self.SAME, moved > self.OTHER):
            return None
        return (
            f"since batch {then:,} the pictures have moved by no more than {moved:.2f} of 255. "
            "Look whether D has won; try a higher learning_rate_g or a constant schedule, or end "
            "the run."
        )
