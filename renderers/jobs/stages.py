"""Stages of a pipeline: threads that consume items from bounded queues while others make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Full, Queue
from threading import Thread
from typing import Any

MAX_WAITING = (
    4  # Items that may wait in a queue; items are pictures, and all of them are in memory.
)
POLL_S = 0.1  # A full queue is tried again this often, to notice a consumer that has failed.


class _AbandonedError(Exception):
    """Raised in a consumer whose items will not come, so that it deletes what it wrote."""


class BackgroundStage:
    """Runs `consume(items)` on a thread, behind a bounded queue.

    What `consume` raises comes out of the next `put`, `seal` or `join`.
    """

    def __init__(self, consume: Callable[[Iterator[Any]], None]) -> None:
        self._queue: Queue[Any] = Queue(MAX_WAITING)
        self._error: BaseException | None = None
        self._abandoned = False
        self._end = object()
        self._thread = Thread(target=self._run, args=(consume,), daemon=True)
        self._thread.start()

    def put(self, item: Any) -> None:
        """Hand over one item; waits while the queue is full."""
        while True:
            if self._error:
                raise self._error
            try:
                return self._queue.put(item, timeout=POLL_S)
            except Full:
                continue  # The consumer may have failed meanwhile.

    def seal(self) -> None:
        """Say that no more items will come."""
        self.put(self._end)

    def join(self) -> None:
        """Wait for the consumer to finish."""
        self._thread.join()
        if self._error:
            raise self._error

    def abandon(self) -> None:
        """Make the consumer stop, and wait until it has."""
        self._abandoned = True
        with suppress(Full):  # Where the queue is full, the consumer needs nothing to wake it.
            self._queue.put_nowait(self._end)
        self._thread.join()

    def _run(self, consume: Callable[[Iterator[Any]], None]) -> None:
        try:
            consume(self._items())
        except BaseException as error:
            self._error = error

    def _items(self) -> Iterator[Any]:
        for item in iter(self._queue.get, self._end):
            if self._abandoned:
                break
            yield item
        if self._abandoned:
            raise _AbandonedError


@contextmanager
def feeding(
    consumers: Sequence[Callable[[Iterator[Any]], None]],
) -> Iterator[Callable[[Any], None]]:
    """Run consumers side by side; hand out a function that gives an item to all of them.

    Leaving the block waits for them. A failure, in the block or in one of them, stops all and
    is raised.

    Args:
        consumers: each is called with an iterator of all items, on a thread of its own.
    """
    stages: list[BackgroundStage] = []

    def put(item: Any) -> None:
        for stage in stages:
            stage.put(item)

    try:
        stages.extend(BackgroundStage(consume) for consume in consumers)
        yield put
        for stage in stages:
            stage.seal()
        for stage in stages:
            stage.join()
    except BaseException:
        for stage in stages:
            stage.abandon()
        raise
