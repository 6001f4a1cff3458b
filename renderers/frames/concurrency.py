"""Run tasks concurrently and yield their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def run_in_order(
    tasks: Iterable[Callable[[], Result]], concurrency: int
) -> Generator[Result, None, None]:
    """Run tasks on threads and yield what each of them returns, in their order.

    The first task runs alone, since later ones may build on what it finds out. A task is taken
    from tasks when all but `concurrency` of those before it have ended. What a task raises is
    raised in its place. Close the generator to stop early.

    Args:
        concurrency: the most tasks that run at a time.
    """
    pending: deque[Future[Result]] = deque()
    room = 0
    with ThreadPoolExecutor(concurrency) as pool:
        try:
            for task in tasks:
                pending.append(pool.submit(task))
                while len(pending) > room:
                    yield pending.popleft().result()
                    room = concurrency
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
