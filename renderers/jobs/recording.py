"""Work that goes on beside the work that feeds it, behind bounded queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Full, Queue
from threading import Thread
from typing import Any

WAITING = 4  # items that may wait; items are pictures, and all that is in memory
LOOK_S = 0.1  # between looks whether the taker of a full queue is still alive


class _AbandonedError(Exception):
    """Raised in a recorder whose items will not come, so that it deletes what it wrote."""


class BackgroundStages:
    """Runs `recorder(items)` on a thread; what it raises comes out of the next `put` or `join`."""

    def __init__(self, recorder: Callable[[Iterator[Any]], None]) -> None:
        self._queue: Queue[Any] = Queue(WAITING)
        self._error: BaseException | None = None
        self._abandoned = False
        self._end = object()
        self._thread = Thread(target=self._run, args=(recorder,), daemon=True)
        self._thread.start()

    def put(self, item: Any) -> None:
        """Hand over one item; waits while the queue is full."""
        while True:
            if self._error:
                raise self._error
            try:
                return self._queue.put(item, timeout=LOOK_S)
            except Full:
                continue  # look again whether anybody still takes items

    def seal(self) -> None:
        """Say that no more will come."""
        self.put(self._end)

    def join(self) -> None:
        """Wait for the recorder to finish."""
        self._thread.join()
        if self._error:
            raise self._error

    def abandon(self) -> None:
        """Make the recorder stop, and wait until it has."""
        self._abandoned = True
        with suppress(Full):  # a full queue needs nothing to wake its taker
            self._queue.put_nowait(self._end)
        self._thread.join()

    def _run(self, recorder: Callable[[Iterator[Any]], None]) -> None:
        try:
            recorder(self._items())
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
def recording(
    recorders: Sequence[Callable[[Iterator[Any]], None]],
) -> Iterator[Callable[[Any], None]]:
    """Run recorders side by side; give a function that hands an item to all of them.

    Leaving the block waits for them. A failure, in the block or in one of them, stops all and
    is raised.
    """
    started: list[BackgroundStages] = []

    def put(item: Any) -> None:
        for one in started:
            one.put(item)

    try:
        started.extend(BackgroundStages(recorder) for recorder in recorders)
        yield put
        for one in started:
            one.seal()
        for one in started:
            one.join()
    except BaseException:
        for one in started:
            one.abandon()
        raise
