"""What an alarm is, and when it sounds again."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Alarm:
    """Something that went wrong: its text says what was seen, and what to try next."""

    batch: int
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


class Detector(Protocol):
    """Looks at every batch for one thing that goes wrong."""

    name: str

    def look(self, batch: int, metrics: Metrics, small: np.ndarray | None) -> str | None:
        """What to say where the cause has just come; None all the other times."""


class Latch:
    """Closes once when a cause comes, and opens only when it has plainly gone.

    Between the two lines a cause may come and go without another word.

    Args:
        patience: looks in a row for which the cause has to be gone, so that what swings through
            both lines is told once, too.
    """

    def __init__(self, patience: int = 1) -> None:
        self.closed = False
        self._patience, self._gone = patience, 0

    def closes(self, come: bool, gone: bool) -> bool:
        """Whether it closed just now."""
        if not self.closed:
            self.closed, self._gone = come, 0
            return come
        self._gone = self._gone + 1 if gone else 0
        self.closed = self._gone < self._patience
        return False


class Recent:
    """The mean of the last so many values."""

    def __init__(self, most: int) -> None:
        self.count = 0
        self._values: deque[float] = deque(maxlen=most)

    def take(self, value: float) -> float:
        self.count += 1
        self._values.append(value)
        return sum(self._values) / len(self._values)
