"""Alarms that the losses give."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from studio.runs.config import TrainingConfig
from studio.training.monitor.alarms.alarm import Latch, Metrics, Recent
from studio.training.recipes.losses import d_wins_below


class DWins:
    """D tells every picture, for tens of batches, and G learns nothing from it.

    D's losses are measured on the way from those of a D that guesses (1) to those of one that is
    always right and as sure as its labels let it be (0). Over 900 batches of healthy runs on maps D
    stayed above 0.3.
    """

    name = "D wins"
    WON, LOST = 0.08, 0.2  # of that way
    SURE_PAIRS = 0.995  # healthy runs come to 0.99 here and there
    MEMORY, FEWEST = 30, 50  # batches; D is ahead in the first ones whenever it was warmed up

    def __init__(self, config: TrainingConfig) -> None:
        self.references = reference_losses(config)
        self._latch = Latch()
        self._d, self._g, self._accuracy = (Recent(self.MEMORY) for _ in range(3))

    def look(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        if self.references is None or "d_real" not in metrics or "g" not in metrics:
            return None
        best, chance, g_high = self.references
        d = self._d.take(metrics["d_real"] + metrics["d_fake"])
        g = self._g.take(metrics["g"])
        accuracy = self._accuracy.take(metrics.get("d_accuracy", 1.0))
        way = (d - best) / (chance - best)
        wins = way < self.WON and g > g_high and accuracy > self.SURE_PAIRS
        if not self._latch.closes(wins and self._d.count >= self.FEWEST, way > self.LOST):
            return None
        return (
            f"over the last {self.MEMORY} batches D's losses are {d:.2f} together, where one "
            f"that is always right has {best:.2f}, and G's is {g:.1f}. Try a lower "
            "learning_rate_d, more g_updates, label_noise, or augmentation."
        )


def reference_losses(config: TrainingConfig) -> tuple[float, float, float] | None:
    """D's losses together when it is always right and when it guesses; a G loss that is high.

    None for Wasserstein, whose critic cannot win: its loss is a distance.
    """
    losses = d_wins_below(config)
    if losses is None:
        return None
    best, chance = map(sum, losses)
    # G's pictures pass one time in fifty; a hinge's G loss is minus the logit, D's margin is -1.
    g_high = 1.0 if config.loss == "hinge" else -math.log(0.02)
    return best, chance, g_high


class GRunsAway:
    """G's loss is far above its own past, and still rising.

    Far is measured in the past's own spread, since losses of different kinds have no scale in
    common, and in steps of the logit, since a very even past has next to no spread.
    """

    name = "G's loss runs away"
    PAST, RECENT = 400, 20  # batches
    FEWEST = 100
    FAR, NEAR = 8.0, 4.0  # spreads above the median
    LEAST_RISE = 3.0  # a healthy run's loss of G rises by 1.5 over its first 500 batches
    GONE = 100  # batches, before it is told again

    def __init__(self) -> None:
        self._latch = Latch(self.GONE)
        self._values: deque[float] = deque(maxlen=self.PAST + 2 * self.RECENT)

    def look(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        if "g" not in metrics:
            return None
        self._values.append(metrics["g"])
        if len(self._values) < self.FEWEST + 2 * self.RECENT:
            return None
        past, before, now = np.split(np.array(self._values), [-2 * self.RECENT, -self.RECENT])
        middle = float(np.median(past))
        spread = 1.4826 * float(np.median(np.abs(past - middle)))  # as a deviation, were it normal
        rise = float(now.mean()) - middle
        far = rise > max(self.FAR * spread, self.LEAST_RISE) and now.mean() > before.mean()
        near = rise < max(self.NEAR * spread, self.LEAST_RISE / 2)
        if not self._latch.closes(bool(far), near):
            return None
        return (
            f"it was around {middle:.2f}, and over the last {self.RECENT} batches it is "
            f"{now.mean():.2f} and rising. Try lower learning rates, clip_norm, or go on from an "
            "earlier batch."
        )
