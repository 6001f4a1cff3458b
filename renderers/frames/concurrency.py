"""Work that is done beside other work of its kind, its results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def in_order(works: Iterable[Callable[[], Result]], lanes: int) -> Generator[Result, None, None]:
    """Yield what each of works returns, in their order, with so many at work at a time.

    The first one is done alone, since others may build on what it finds out. A work is taken from
    works when all but `lanes` of those before it have ended. Close the generator to stop early.
    """
    pending: deque[Future[Result]] = deque()
    room = 0
    with ThreadPoolExecutor(lanes) as pool:
        try:
            for work in works:
                pending.append(pool.submit(work))
                while len(pending) > room:
                    yield pending.popleft().result()
                    room = lanes
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
