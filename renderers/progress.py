"""How renders tell how far they are."""

from __future__ import annotations

from typing import Protocol


class OnFrames(Protocol):
    """Called with the number of frames done, and perhaps a word on who does how many."""

    def __call__(self, done: int, note: str = "") -> None: ...


class OnProgress(Protocol):
    """Called with what is done, of how much, and perhaps a word beside it."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def say_nothing(done: int, total: int, note: str = "") -> None:
    """Where nobody listens."""
