"""Requests to stop: Ctrl-C, and the SIGTERM that a cancelled job is sent."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import TypeVar

SIGNALS = (signal.SIGTERM, signal.SIGINT)
REPEATED_AFTER_S = 0.05
Function = TypeVar("Function", bound=Callable[..., object])
_UNDISTURBED: set[CodeType] = set()


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
            _interrupt(number, frame)
        requested = True

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield lambda: requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def heed_stop_requests() -> None:
    """Let SIGTERM and Ctrl-C end this process, wherever they come.

    SIGTERM becomes SystemExit, so that `finally` blocks delete half-written files. An exception
    that is raised while Python clears an object away, or in a function that other code calls, goes
    no further than there; so a request that comes at such a moment is repeated a moment later.
    """
    signal.signal(signal.SIGTERM, _leave)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    if not isinstance(sys.unraisablehook, _Repeater):
        sys.unraisablehook = _Repeater(sys.unraisablehook)


def undisturbed(function: Function) -> Function:
    """A function of Python that is called from another language, where no request may end it.

    SQLite, for one, makes another error of whatever is raised in a function that it calls.
    """
    _UNDISTURBED.add(function.__code__)
    return function


def _leave(number: int, frame: FrameType | None) -> None:
    if _is_undisturbed(frame):
        _repeat(number)
    else:
        raise SystemExit(128 + number)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _is_undisturbed(frame):
        _repeat(number)
    else:
        raise KeyboardInterrupt


def _is_undisturbed(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code in _UNDISTURBED:
            return True
        frame = frame.f_back
    return False


def _repeat(number: int) -> None:
    timer = threading.Timer(REPEATED_AFTER_S, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()


class _Repeater:
    """Told of exceptions that could not be passed on; repeats the request that one of them was."""

    def __init__(self, tell: Callable[[sys.UnraisableHookArgs], object]) -> None:
        self._tell = tell

    def __call__(self, lost: sys.UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            _repeat(signal.SIGINT)
        elif issubclass(lost.exc_type, SystemExit):
            _repeat(signal.SIGTERM)
        else:
            self._tell(lost)


def spare_cores() -> None:
    """Let threads of OpenMP sleep while they wait.

    Threads that spin slow each other down several times where jobs share cores.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
