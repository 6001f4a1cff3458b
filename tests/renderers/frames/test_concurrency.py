"""Works beside each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from renderers.frames.concurrency import run_in_order


class Meter:
    """Works that note how many of them are at work at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.at_work, self.max_at_work, self.begun = 0, 0, 0
        self.with_the_first = 0

    def work(self, number: int) -> int:
        with self._lock:
            self.begun += 1
            self.at_work += 1
            self.max_at_work = max(self.max_at_work, self.at_work)
        time.sleep(0.02 if number % 3 == 0 else 0.001)
        with self._lock:
            if number == 0:
                self.with_the_first = self.begun
            self.at_work -= 1
        return number

    def works(self, count: int) -> list[Callable[[], int]]:
        return [partial(self.work, number) for number in range(count)]


def test_results_come_in_order_however_long_each_takes() -> None:
    meter = Meter()
    assert list(run_in_order(meter.works(20), concurrency=2)) == list(range(20))
    assert meter.max_at_work == 2


def test_the_first_work_is_done_alone() -> None:
    meter = Meter()
    assert list(run_in_order(meter.works(5), concurrency=3)) == list(range(5))
    assert meter.with_the_first == 1


def test_a_work_is_taken_when_all_but_so_many_have_ended() -> None:
    ended: set[int] = set()

    def finish(number: int) -> None:
        time.sleep(0.005)
        ended.add(number)

    def works():  # type: ignore[no-untyped-def]
        for number in range(10):
            assert set(range(number - 2)) <= ended
            yield partial(finish, number)

    assert len(list(run_in_order(works(), concurrency=2))) == 10


def test_an_error_comes_in_its_place_and_ends_the_rest() -> None:
    meter = Meter()

    def fail() -> int:
        raise ValueError("no")

    works = [*meter.works(3), fail, *meter.works(20)]
    results = run_in_order(works, concurrency=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no"):
        next(results)
    assert meter.at_work == 0
    assert meter.begun <= 5


def test_closing_stops_after_what_is_at_work() -> None:
    meter = Meter()
    results = run_in_order(meter.works(100), concurrency=2)
    next(results), next(results)
    results.close()
    assert meter.at_work == 0
    assert meter.begun <= 4
