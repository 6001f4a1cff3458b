"""Threads that share the work on one checkpoint."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, TypeVar

import torch

T = TypeVar("T")
Call = tuple[Future, Callable[..., Any], tuple]


class ThreadPool:
    """The calling thread and some more, between which blocks or pictures are divided.

    Beside a training step that keeps every core busy, work done by all cores at once delays the
    step by its share of one core; done by one, all others wait at the end of each operator for the
    core that is late.

    Unlike those of a ThreadPoolExecutor, these threads go on while the interpreter shuts down,
    when what was appended last is still to be encoded.
    """

    def __init__(self, size: int = 1, name: str = "team") -> None:
        self.size, self._name = size, name
        self._starting = threading.Lock()
        self._calls: SimpleQueue[Call | None] | None = None
        self._end: weakref.finalize | None = None

    def map(self, work: Callable[..., T], *arguments: Iterable) -> list[T]:
        """The results in order, as of the built-in `map`, once all calls have ended."""
        first, *others = zip(*arguments, strict=True)
        futures: list[Future[T]] = [Future() for _ in others]
        calls = self._start() if self.size > 1 and others else None
        for future, call in zip(futures, others, strict=True):
            if calls is not None:
                calls.put((future, work, call))
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
        """End the other threads, as happens to a team that is forgotten."""
        with self._starting:
            if self._end is not None:
                self._end()
            self._calls = self._end = None

    def _start(self) -> SimpleQueue[Call | None]:
        """Where the other threads, begun when they are first needed, take their calls from."""
        with self._starting:
            if self._calls is None:
                self._calls = SimpleQueue()
                for number in range(1, self.size):
                    name, calls = f"{self._name} {number}", (self._calls,)
                    threading.Thread(target=_serve, args=calls, name=name, daemon=True).start()
                self._end = weakref.finalize(self, _dismiss, self._calls, self.size - 1)
                self._end.atexit = False  # what was appended last is encoded at exit
            return self._calls


def _serve(calls: SimpleQueue[Call | None]) -> None:
    """The life of another thread; it knows nothing of the team, which may be forgotten."""
    torch.set_num_threads(1)  # for this thread
    while (call := calls.get()) is not None:
        _settle(*call)
        del call  # which may hold the team


def _dismiss(calls: SimpleQueue[Call | None], count: int) -> None:
    for _ in range(count):
        calls.put(None)


def _settle(future: Future[T], work: Callable[..., T], arguments: tuple) -> None:
    try:
        future.set_result(work(*arguments))
    except BaseException as error:
        future.set_exception(error)


SERIAL = ThreadPool()
