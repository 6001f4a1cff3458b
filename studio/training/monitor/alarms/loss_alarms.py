"""Alarms about the losses: D wins, a loss runs away, or numbers leave every range."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

import numpy as np

from studio.runs.config import TrainingConfig
from studio.training.monitor.alarms.alarm import Latch, Metrics, RunningMean
from studio.training.recipes.losses import reference_d_losses
from studio.training.recipes.recipe import D_WINS, WatchedLoss


class DWinsAlarm:
    """D is right about every picture for tens of batches, so that G learns nothing.

    D's losses are placed on a scale from 0, a D that is always right and as certain as its labels
    let it be, to 1, a D that guesses. In 900 batches of healthy runs on maps D stayed above 0.3.

    Args:
        config: its loss and labels say what a D that wins would lose.
    """

    name = D_WINS
    WON, LOST = (
        0.08,
        0.2,
    )  # D has won below the first value of that scale, and lost above the other.
    MIN_ACCURACY = 0.995  # Healthy runs reach 0.99 here and there.
    MEMORY = 30  # Batches that the means are taken over.
    MIN_BATCHES = 50  # In its first batches D is ahead whenever it was warmed up.

    def __init__(self, config: TrainingConfig) -> None:
        self.references = reference_losses(config)
        self._latch = Latch()
        self._d, self._g, self._accuracy = (RunningMean(self.MEMORY) for _ in range(3))

    def check(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        """See `Detector.check`."""
        if self.references is None or "d_real" not in metrics or "g" not in metrics:
            return None
        right, guess, g_high = self.references
        d = self._d.add(metrics["d_real"] + metrics["d_fake"])
        g = self._g.add(metrics["g"])
        accuracy = self._accuracy.add(metrics.get("d_accuracy", 1.0))
        standing = (d - right) / (guess - right)
        wins = standing < self.WON and g > g_high and accuracy > self.MIN_ACCURACY
        if not self._latch.closes(wins and self._d.count >= self.MIN_BATCHES, standing > self.LOST):
            return None
        return (
            f"over the last {self.MEMORY} batches D's losses are {d:.2f} together, where one "
            f"that is always right has {right:.2f}, and G's is {g:.1f}. Try a lower "
            "learning_rate_d, more g_updates, label_noise, or augmentation."
        )


def reference_losses(config: TrainingConfig) -> tuple[float, float, float] | None:
    """Both losses of D together when it is always right and when it guesses; a high loss of G.

    Returns:
        None for Wasserstein, whose critic measures a distance and cannot win.
    """
    losses = reference_d_losses(config)
    if losses is None:
        return None
    right, guess = map(sum, losses)
    # With the high loss, G's pictures pass for real one time in fifty. The hinge's loss of G is
    # minus the logit, and the margin of D is at -1.
    g_high = 1.0 if config.loss == "hinge" else -math.log(0.02)
    return right, guess, g_high


class RunawayLossAlarm:
    """A loss is far above its own past, and still rising.

    The distance is measured in the spread of the past, since losses of different kinds have no
    common scale; and against a rise that the recipe names, since a very even past has next to no
    spread.

    Args:
        watched: the loss.
    """

    PAST, RECENT = 400, 20  # Batches.
    MIN_BATCHES = 100  # Batches of the past without which nothing is said.
    FAR, NEAR = 8.0, 4.0  # Spreads above the median.
    GONE = 100  # Batches in a row near the past, before the alarm may sound again.

    def __init__(self, watched: WatchedLoss) -> None:
        self.name = f"{watched.words} runs away"
        self._metric, self._min_rise = watched.metric, watched.min_rise
        self._latch = Latch(self.GONE)
        self._values: deque[float] = deque(maxlen=self.PAST + 2 * self.RECENT)

    def check(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        """See `Detector.check`."""
        if self._metric not in metrics:
            return None
        self._values.append(metrics[self._metric])
        if len(self._values) < self.MIN_BATCHES + 2 * self.RECENT:
            return None
        past, before, now = np.split(np.array(self._values), [-2 * self.RECENT, -self.RECENT])
        middle = float(np.median(past))
        # The factor makes it the standard deviation, if the past is normally distributed.
        spread = 1.4826 * float(np.median(np.abs(past - middle)))
        rise = float(now.mean()) - middle
        far = rise > max(self.FAR * spread, self._min_rise) and now.mean() > before.mean()
        near = rise < max(self.NEAR * spread, self._min_rise / 2)
        if not self._latch.closes(bool(far), near):
            return None
        return (
            f"it was around {middle:.3g}, and over the last {self.RECENT} batches it is "
            f"{now.mean():.3g} and rising. Try lower learning rates, clip_norm, or go on from an "
            "earlier batch."
        )


class OutOfRangeAlarm:
    """Losses or gradients are larger than those of any run that trains, from whatever past.

    A loss that has no past to be held against, since it exploded in the first batches, is no
    runaway, and one that stays finite never sends the run back. The median over some batches is
    looked at, so that a single large batch is none.

    Args:
        limits: how large metrics may be, by name; see `Recipe.limits`.
    """

    name = "Out of range"
    MEMORY = 20  # Batches that the medians are taken over.
    GONE, BACK = 100, 0.1  # Batches in a row below this part of the limits open the latch.

    def __init__(self, limits: Mapping[str, float]) -> None:
        self.limits = limits
        self._latch = Latch(self.GONE)
        self._recent: deque[Metrics] = deque(maxlen=self.MEMORY)

    def check(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        """See `Detector.check`."""
        self._recent.append(metrics)
        if len(self._recent) < self.MEMORY or not self.limits:
            return None
        medians = {name: self._median(name) for name in self.limits}
        worst = max(medians, key=lambda name: medians[name] / self.limits[name])
        share = medians[worst] / self.limits[worst]
        if not self._latch.closes(share > 1, share < self.BACK):
            return None
        return (
            f"{worst} is around {medians[worst]:.2g} over the last {self.MEMORY} batches, where "
            f"runs that train stay far below {self.limits[worst]:.0e}. Go on from an earlier "
            "batch with lower learning rates, or set clip_norm or a gradient_penalty."
        )

    def _median(self, name: str) -> float:
        """The median size of a number over recent batches; 0 where none has it."""
        found = [abs(metrics[name]) for metrics in self._recent if name in metrics]
        return float(np.median(found)) if found else 0.0
