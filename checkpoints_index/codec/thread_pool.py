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
Call = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]  # result, function, arguments


class ThreadPool:
    """The calling thread and some more, between which blocks or pictures are divided.

    Beside a training step that keeps every core busy, work done by all cores at once delays the
    step by its part of one core; done by one, all others wait at the end of each operator for the
    core that is late.

    Unlike those of a ThreadPoolExecutor, these threads go on while the interpreter shuts down,
    when what was appended last is still to be encoded. They begin when they are first needed.

    Args:
        size: number of threads, the calling one among them.
        name: what the names of the others begin with.
    """

    def __init__(self, size: int = 1, name: str = "pool") -> None:
        self.size, self._name = size, name
        self._starting = threading.Lock()
        self._calls: SimpleQueue[Call | None] | None = None
        self._end: weakref.finalize[Any, Any] | None = None

    def map(self, work: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
        """The results in order, like those of the built-in `map`, once all calls have ended.

        Args:
            work: called with one of each of the arguments.
            arguments: of one length, at least 1. The calling thread takes the first ones.

        Raises:
            BaseException: whatever a call raised first, in the order of the arguments.
        """
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

    def split(self, count: int) -> list[range]:
        """The positions below a count, for each thread those that it takes.

        Example:
            >>> ThreadPool(3).split(7)
            [range(0, 7, 3), range(1, 7, 3), range(2, 7, 3)]
        """
        return [range(first, count, self.size) for first in range(self.size)]

    def close(self) -> None:
        """End the other threads, as happens to a pool that is forgotten."""
        with self._starting:
            if self._end is not None:
                self._end()
            self._calls = self._end = None

    def _start(self) -> SimpleQueue[Call | None]:
        """The queue that the other threads, begun when they are first needed, take calls from."""
        with self._starting:
            if self._calls is None:
                self._calls = SimpleQueue()
                for number in range(1, self.size):
                    name, calls = f"{self._name} {number}", (self._calls,)
                    threading.Thread(target=_serve, args=calls, name=name, daemon=True).start()
                self._end = weakref.finalize(self, _dismiss, self._calls, self.size - 1)
                self._end.atexit = False  # What was appended last is encoded at exit.
            return self._calls


def _serve(calls: SimpleQueue[Call | None]) -> None:
    """The life of another thread; it knows nothing of the pool, which may be forgotten."""
    torch.set_num_threads(1)  # The number is that of this thread.
    while (call := calls.get()) is not None:
        _settle(*call)
        del call  # It may hold the pool.


def _dismiss(calls: SimpleQueue[Call | None], count: int) -> None:
    for _ in range(count):
        calls.put(None)


def _settle(future: Future[T], work: Callable[..., T], arguments: tuple[Any, ...]) -> None:
    try:
        future.set_result(work(*arguments))
    except BaseException as error:
        future.set_exception(error)


SERIAL = ThreadPool()  # The calling thread alone.
