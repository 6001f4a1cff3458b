"""The alarm about pictures that swing: better, then worse, then better again."""

from __future__ import annotations

import numpy as np

from studio.training.monitor.alarms.alarm import Latch, Metrics
from studio.training.monitor.observations import shrink
from studio.training.recipes.recipe import FLOPPING

SMALL_PX = 8


class OscillationAlarm:
    """Pictures come back to what they were one period before.

    The mean distance of pictures to those k batches before grows with k as long as training goes
    anywhere, noise or not. Where pictures swing, it falls again, and is least at the period. A
    single excursion makes no such dip.
    """

    name = FLOPPING
    STRIDE = 2  # Every second batch with pictures is taken; enough for a period of 8.
    LAGS = (25, 50, 100, 160)  # Lags, in strides, up to which periods are sought, in this order.
    SHORTEST = 4  # The shortest period in strides.
    # Fractions of the largest mean square distance; healthy runs stay above 0.85.
    COME_BACK, GONE_ON = 0.5, 0.7
    VISIBLE = 2.0  # RMS of 255 at 8 x 8 pixels.
    EVERY = 8  # Strides between two decisions.

    def __init__(self) -> None:
        self._latch = Latch()
        self._seen = 0
        self._distances = LaggedDistances(self.LAGS[-1])

    def check(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        """See `Detector.check`."""
        if small is None:
            return None
        self._seen += 1
        if self._seen % self.STRIDE:
            return None
        self._distances.add(batch, shrink(small, SMALL_PX).ravel())
        if self._distances.count % self.EVERY:
            return None
        period = self._find_period(self.COME_BACK)
        if not self._latch.closes(period is not None, self._find_period(self.GONE_ON) is None):
            return None
        assert period is not None
        lag, swing = period
        return (
            f"pictures swing back and forth with a period of about "
            f"{lag * self._distances.spacing:,} batches, by {swing:.0f} of 255. Try lower learning "
            "rates, a gradient_penalty, or more of ema."
        )

    def _find_period(self, fallen: float) -> tuple[int, float] | None:
        """The lag at which distances are least after falling, in strides, and the largest RMS.

        Args:
            fallen: the fraction of the largest mean square distance that counts as a dip.
        """
        for longest in self.LAGS:
            means = self._distances.means(longest)
            if means is None:
                return None
            peaks = np.maximum.accumulate(means)
            is_dip = (means < fallen * peaks) & (peaks > self.VISIBLE**2)
            is_dip[: self.SHORTEST - 1] = False
            if is_dip.any():
                first = int(is_dip.argmax())
                risen = np.flatnonzero(~is_dip[first:])
                dip = means[first : first + risen[0]] if len(risen) else means[first:]
                lag = first + int(dip.argmin()) + 1
                if lag < longest:  # At the end the dip may still be falling: longer lags tell.
                    return lag, float(peaks[-1]) ** 0.5
        return None


class LaggedDistances:
    """Mean square distances of recent pictures to each of the `longest` pictures before them.

    Attributes:
        spacing: batches between the last two pictures.
        count: pictures so far.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.spacing = 0
        self.count = self._batch = 0
        self._pictures = np.zeros((longest, 0), np.float32)
        self._rows = np.zeros((2 * longest, longest), np.float32)

    def add(self, batch: int, picture: np.ndarray) -> None:
        """Take in a picture, float32 [D]; another D begins anew."""
        if picture.size != self._pictures.shape[1]:
            self.count = 0
            self._pictures = np.zeros((self.longest, picture.size), np.float32)
        self.spacing, self._batch = batch - self._batch, batch
        squares = ((self._pictures - picture) ** 2).mean(1)
        lagged = (self.count - 1 - np.arange(self.longest)) % self.longest
        self._rows[self.count % len(self._rows)] = squares[lagged]
        self._pictures[self.count % self.longest] = picture
        self.count += 1

    def means(self, longest: int) -> np.ndarray | None:
        """Mean square distances by lag, 1 to longest: float32 [longest].

        Returns:
            None before there were three times as many pictures.
        """
        if self.count < 3 * longest:
            return None
        recent = (self.count - 1 - np.arange(2 * longest)) % len(self._rows)
        means: np.ndarray = self._rows[recent, :longest].mean(0)
        return means
