"""How renders tell how far they are."""

from __future__ import annotations

import time
from collections import deque
from typing import Protocol

RATE_S = 10  # over which frames a second are counted


class OnFrames(Protocol):
    """Called with the number of frames done, and perhaps a word on who does how many."""

    def __call__(self, done: int, note: str = "") -> None: ...


class OnProgress(Protocol):
    """Called with what is done, of how much, and perhaps a word beside it."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def say_nothing(done: int, total: int, note: str = "") -> None:
    """Where nobody listens."""


class Rate:
    """Frames a second of one device, over the last seconds."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._seen = deque([(time.monotonic(), 0)])

    def count(self, frames: int) -> None:
        """Take note of how many frames are done by now."""
        now = time.monotonic()
        if now - self._seen[-1][0] >= RATE_S / 10:
            self._seen.append((now, frames))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_S:
            self._seen.popleft()

    def __str__(self) -> str:
        (began, before), (now, done) = self._seen[0], self._seen[-1]
        return f"{self._device} {(done - before) / (now - began):.0f}/s" if now > began else ""
