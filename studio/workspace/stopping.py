"""Requests to stop: Ctrl-C, and the SIGTERM that a cancelled job is sent."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Note the first request to stop instead of ending; a second one ends at once.

    Only the main thread can use this.

    Yields:
        A function that says whether a stop was requested.
    """
    requested = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            raise KeyboardInterrupt
        requested = True

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield lambda: requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_on_sigterm() -> None:
    """Turn SIGTERM into SystemExit, so that `finally` blocks delete half-written files."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def spare_cores() -> None:
    """Let threads of OpenMP sleep while they wait.

    Threads that spin slow each other down several times where jobs share cores.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
