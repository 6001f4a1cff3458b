"""From values to places within a chart: along it by batch or time, upright by value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from studio.workspace.records.quantities import format_duration

# Size of a chart and margins around its plot, in units of the drawing.
WIDTH, HEIGHT = 430, 220
LEFT, RIGHT, TOP, BOTTOM = 42, 6, 8, 22

TICKS = 4  # Ticks beside a linear scale, about.
MAX_DECADE_TICKS = 6  # Powers of ten beside a logarithmic scale, at most.
ROUND_STEPS = (1, 2, 2.5, 5, 10, 20)
SMALLEST = 1e-12  # Smaller values stand where this one does on a logarithmic scale.


@dataclass(frozen=True)
class Span:
    """What lies along a chart.

    Args:
        first, last: batches, or seconds.
        write: how such a value is written below the chart.
    """

    first: float
    last: float
    write: Callable[[float], str]

    @classmethod
    def of_batches(cls, first: float, last: float) -> Span:
        """From one batch to another."""
        return cls(first, last, lambda batch: f"batch {batch:,.0f}")

    @classmethod
    def of_pictures(cls, first: float, last: float) -> Span:
        """From one number of pictures to another."""
        return cls(first, last, lambda count: f"{count:,.0f} pictures")

    @classmethod
    def of_seconds(cls, first: float, last: float) -> Span:
        """From one time to another, in seconds."""
        return cls(first, last, format_duration)

    def fraction(self, x: np.ndarray) -> np.ndarray:
        """0 where the chart begins, 1 where it ends, for each of x, float [N]."""
        return np.asarray((x - self.first) / max(self.last - self.first, 1e-9))

    def place(self, x: np.ndarray) -> np.ndarray:
        """Places from left to right of each of x, float [N], in units of the drawing."""
        return LEFT + self.fraction(x) * (WIDTH - LEFT - RIGHT)


@dataclass(frozen=True)
class Scale:
    """What stands upright beside a chart: values from low to high; others stand at the edge."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def covering(cls, values: np.ndarray, log: bool) -> Scale:
        """A scale for all values if it is logarithmic, else for nearly all.

        A linear scale leaves one in a hundred out at either end, so that a spike hides nothing.

        Args:
            values: float [N], finite, at least one; positive for a logarithmic scale.
        """
        if log:
            low, high = max(float(values.min()), SMALLEST), max(float(values.max()), SMALLEST)
            return cls(low / 1.2, high * 1.2, log=True)
        low, high = np.percentile(values, [1, 99])
        margin = 0.1 * (high - min(low, 0.0))
        return cls(float(low - margin) if low < 0 else 0.0, max(float(high + margin), 1e-9))

    def place(self, y: np.ndarray) -> np.ndarray:
        """Places from top to bottom of each of y, float [N], in units of the drawing."""
        value = np.log(np.clip(y, SMALLEST, None)) if self.log else y
        low, high = np.log([self.low, self.high]) if self.log else (self.low, self.high)
        fraction = np.clip((value - low) / (high - low), 0, 1)
        return np.asarray(TOP + (1 - fraction) * (HEIGHT - TOP - BOTTOM))

    def ticks(self) -> list[float]:
        """Round values within the scale, ascending, to be written beside it."""
        if not self.log:
            step = _round_step((self.high - self.low) / TICKS)
            return [
                float(n * step) for n in np.arange(np.ceil(self.low / step), self.high // step + 1)
            ]
        powers = np.arange(np.ceil(np.log10(self.low)), np.floor(np.log10(self.high)) + 1)
        stride = -(-len(powers) // MAX_DECADE_TICKS) or 1
        return [float(10.0**power) for power in powers[::stride]] or [self.low, self.high]


def _round_step(size: float) -> float:
    """The next larger of ROUND_STEPS times a power of ten."""
    power = 10.0 ** np.floor(np.log10(size))
    return float(next(step for step in ROUND_STEPS if step * power >= size * 0.999) * power)
