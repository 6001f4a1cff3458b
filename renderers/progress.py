"""Report how far work has come, and at what rate."""

from __future__ import annotations

import time
from collections import deque
from typing import Protocol

RATE_S = 10  # Frames per second are counted over this many seconds.


class OnProgress(Protocol):
    """Called now and then while work goes on.

    Args:
        done: how much is done, 0..total; it may go down where work has to begin again.
        total: how much there is to do.
        note: a word to show beside the numbers, such as the rate of each device.
    """

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def ignore_progress(done: int, total: int, note: str = "") -> None:
    """An `OnProgress` for where nobody listens."""


class Rate:
    """Frames per second of one device, over the last `RATE_S` seconds.

    Args:
        device: the name shown before the number, such as `cuda:0`.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._seen = deque([(time.monotonic(), 0)])

    def count(self, frames: int) -> None:
        """Take note that so many frames are done by now."""
        now = time.monotonic()
        if now - self._seen[-1][0] >= RATE_S / 10:
            self._seen.append((now, frames))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_S:
            self._seen.popleft()

    def __str__(self) -> str:
        """Such as `cuda:0 120/s`; empty before there is a number."""
        (began, before), (now, done) = self._seen[0], self._seen[-1]
        return f"{self._device} {(done - before) / (now - began):.0f}/s" if now > began else ""
