"""How long a device may show no frame."""

from __future__ import annotations

import time

import pytest

from renderers.progress import (
    LOOK_S,
    MAX_FIRST_SILENCE_S,
    MAX_PACES,
    MAX_SILENCE_S,
    Silence,
    Watch,
)


def silence_after(*frames_s: float, device: str = "cuda:0") -> Silence:
    """That of a device whose frames came after so many seconds each."""
    silence = Silence(device)
    for seconds in frames_s:
        silence.last(seconds)
        silence.end()
    return silence


def test_the_first_frame_may_take_longer_than_later_ones() -> None:
    first, later = silence_after(), silence_after(MAX_FIRST_SILENCE_S, 1.0)
    for silence in first, later:
        silence.last(MAX_SILENCE_S + 1)
    assert not first.is_too_long
    assert later.is_too_long
    assert str(later) == "has shown no frame for 10 min"
    first.last(MAX_FIRST_SILENCE_S - MAX_SILENCE_S)
    assert first.is_too_long


def test_a_device_of_slow_frames_may_take_many_times_as_long_as_the_slowest() -> None:
    slowest = 2 * MAX_SILENCE_S / MAX_PACES
    silence = silence_after(1.0, slowest, 1.0)
    silence.last(MAX_PACES * slowest)
    assert not silence.is_too_long
    silence.last(1.0)
    assert silence.is_too_long


def test_a_frame_ends_what_went_before() -> None:
    silence = silence_after(1.0, 1.0)
    for _ in range(10):
        silence.last(0.9 * MAX_SILENCE_S)
        assert not silence.is_too_long
        silence.end()


def test_a_cpu_may_take_as_long_as_it_takes() -> None:
    silence = silence_after(1.0, 1.0, device="cpu")
    silence.last(1e6)
    assert not silence.is_too_long


def test_hours_for_which_nobody_looked_count_as_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    watch = Watch()
    now += 0.5
    assert watch.look() == 0.5
    now += 3 * 3600.0  # The process was stopped, or the machine asleep.
    assert watch.look() == 2 * LOOK_S
    now += 0.25
    assert watch.look() == 0.25
