"""Threads that share the work on one checkpoint."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, TypeVar

import torch

T = TypeVar("T")
Call = tuple[Future, Callable[..., Any], tuple]


class Team:
    """The calling thread and some more, between which blocks or pictures are divided.

    Beside a training step that keeps every core busy, work done by all cores at once delays the
    step by its share of one core; done by one, all others wait at the end of each operator for the
    core that is late.

    Unlike those of a ThreadPoolExecutor, these threads go on while the interpreter shuts down,
    when what was appended last is still to be encoded.
    """

    def __init__(self, size: int = 1, name: str = "team") -> None:
        self.size = size
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        for number in range(1, size):
            threading.Thread(target=self._serve, name=f"{name} {number}", daemon=True).start()

    def map(self, work: Callable[..., T], *arguments: Iterable) -> list[T]:
        """The results in order, as of the built-in `map`, once all calls have ended."""
        first, *others = zip(*arguments, strict=True)
        futures: list[Future[T]] = [Future() for _ in others]
        for future, call in zip(futures, others, strict=True):
            if self.size > 1:
                self._calls.put((future, work, call))
            else:
                _settle(future, work, call)
        try:
            return [work(*first), *(future.result() for future in futures)]
        finally:
            wait(futures)

    def shares(self, count: int) -> list[range]:
        """The positions below a count, for each member those it takes."""
        return [range(first, count, self.size) for first in range(self.size)]

    def close(self) -> None:
        """End the other threads."""
        for _ in range(1, self.size):
            self._calls.put(None)

    def _serve(self) -> None:
        torch.set_num_threads(1)  # for this thread
        while (call := self._calls.get()) is not None:
            _settle(*call)


def _settle(future: Future[T], work: Callable[..., T], arguments: tuple) -> None:
    try:
        future.set_result(work(*arguments))
    except BaseException as error:
        future.set_exception(error)


ALONE = Team()
