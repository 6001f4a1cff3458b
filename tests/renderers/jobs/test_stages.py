from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from renderers.jobs.stages import MAX_WAITING, feeding


def test_every_recorder_gets_every_item_in_order() -> None:
    got: list[list[int]] = [[], []]
    with feeding([got[0].extend, got[1].extend]) as put:
        for item in range(100):
            put(item)
    assert got == [list(range(100))] * 2


def test_the_queue_is_bounded() -> None:
    gate = threading.Event()
    taken = 0

    def slow(items: Iterator[int]) -> None:
        gate.wait()
        list(items)

    def feed() -> None:
        nonlocal taken
        with feeding([slow]) as put:
            for item in range(50):
                put(item)
                taken += 1

    feeder = threading.Thread(target=feed)
    feeder.start()
    time.sleep(0.2)
    before = taken
    gate.set()
    feeder.join()
    assert before <= MAX_WAITING
    assert taken == 50


def test_what_a_recorder_raises_comes_out_and_stops_the_others() -> None:
    ended: list[str] = []

    def failing(items: Iterator[int]) -> None:
        next(items)
        raise OSError("the disk is gone")

    def patient(items: Iterator[int]) -> None:
        try:
            for _ in items:
                pass
            ended.append("complete")
        finally:
            ended.append("left")

    def feed() -> None:
        with feeding([failing, patient]) as put:
            for item in range(10_000):
                put(item)

    with pytest.raises(OSError, match="the disk is gone"):
        feed()
    assert ended == ["left"]


def test_a_failure_of_the_feeder_stops_the_recorders_and_is_raised() -> None:
    ended: list[str] = []

    def patient(items: Iterator[int]) -> None:
        try:
            list(items)
            ended.append("complete")
        finally:
            ended.append("left")

    def feed() -> None:
        with feeding([patient]) as put:
            put(1)
            raise KeyError("mine")

    with pytest.raises(KeyError):
        feed()
    assert ended == ["left"]


def test_a_failure_after_the_last_item_is_raised_too() -> None:
    def late(items: Iterator[int]) -> None:
        list(items)
        raise OSError("the disk is full")

    def feed() -> None:
        with feeding([late, late]) as put:
            put(1)

    with pytest.raises(OSError, match="the disk is full"):
        feed()
