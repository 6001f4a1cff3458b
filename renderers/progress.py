"""Report how far work has come, at what rate, and when it has stood still for too long."""

from __future__ import annotations

import time
from collections import deque
from typing import Protocol

RATE_S = 10  # Frames per second are counted over this many seconds.
# A GPU may take this long for its first frame: it may compile, and disks may sleep. Later it may
# take MAX_SILENCE_S, or MAX_PACES times as long as it took for any frame before, if that is more.
MAX_FIRST_SILENCE_S = 30 * 60.0
MAX_SILENCE_S = 10 * 60.0
MAX_PACES = 50
LOOK_S = 1.0  # Who waits for frames looks this often whether any have come.


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


class Watch:
    """Time that passes while frames are waited for.

    It goes on only while somebody looks: what passes while this process is stopped, or the machine
    sleeps, counts as one look.
    """

    def __init__(self) -> None:
        self._before = time.monotonic()

    def look(self) -> float:
        """The seconds since the last look."""
        now = time.monotonic()
        passed, self._before = now - self._before, now
        return min(passed, 2 * LOOK_S)


class Silence:
    """How long a device has shown no frame, and whether that is too long.

    Args:
        device: such as `cuda:0`. A CPU may take as long as it takes: it does not hang.
    """

    def __init__(self, device: str) -> None:
        self._can_hang = device != "cpu"
        self._seconds, self._longest, self._has_begun = 0.0, 0.0, False

    def last(self, seconds: float) -> None:
        """Take note that it goes on."""
        self._seconds += seconds

    def end(self) -> None:
        """Take note of a frame, or of a part that is whole."""
        if self._has_begun:
            self._longest = max(self._longest, self._seconds)
        self._seconds, self._has_begun = 0.0, True

    @property
    def is_too_long(self) -> bool:
        """Whether the device hangs."""
        later = max(MAX_SILENCE_S, MAX_PACES * self._longest)
        limit = later if self._has_begun else max(MAX_FIRST_SILENCE_S, later)
        return self._can_hang and self._seconds > limit

    def __str__(self) -> str:
        """What is told after the name of the device."""
        return f"has shown no frame for {max(1, round(self._seconds / 60))} min"
