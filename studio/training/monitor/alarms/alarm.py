"""What an alarm is, what detects one, and when it may sound again."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Alarm:
    """Something that went wrong at a batch; the text says what was seen, and what to try next."""

    batch: int
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


class Detector(Protocol):
    """Checks every batch for one thing that goes wrong.

    Attributes:
        name: what the alarm is called, in events and on curves.
    """

    name: str

    def check(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        """The text of an alarm whose cause has just come; None otherwise.

        Args:
            metrics, small: see `Alarms.check`.
        """


class Latch:
    """Closes once when a cause comes, and opens only when the cause has plainly gone.

    While a cause is neither plainly there nor plainly gone, the latch stays as it is.

    Args:
        patience: checks in a row that must find the cause gone before the latch opens, so that a
            cause that comes and goes is reported once.
    """

    def __init__(self, patience: int = 1) -> None:
        self.closed = False
        self._patience, self._gone = patience, 0

    def closes(self, come: bool, gone: bool) -> bool:
        """Take in one check; whether the latch closed just now."""
        if not self.closed:
            self.closed, self._gone = come, 0
            return come
        self._gone = self._gone + 1 if gone else 0
        self.closed = self._gone < self._patience
        return False


class RunningMean:
    """The mean of the last `length` values, and how many there were in all."""

    def __init__(self, length: int) -> None:
        self.count = 0
        self._values: deque[float] = deque(maxlen=length)

    def add(self, value: float) -> float:
        """Take in a value; the mean with it."""
        self.count += 1
        self._values.append(value)
        return sum(self._values) / len(self._values)
