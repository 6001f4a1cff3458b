"""What a score is: the number by which a run is judged while it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def as_it_is(value: float) -> float:
    """The value itself, for a score that is lower where pictures are better."""
    return value


def decibels_to_error(value: float) -> float:
    """The mean square error, 0..1, whose signal-to-noise ratio is so many dB.

    Example:
        >>> decibels_to_error(20.0)
        0.01
    """
    return float(10 ** (-value / 10))


@dataclass(frozen=True)
class RunScore:
    """The number by which a run is judged.

    Attributes:
        metric: its name in metrics.jsonl.
        words: what it is, such as "the distance to the data".
        to_error: from a value to an error, of which less is better; patience looks at that.
        has_fallen: what the number did not do where a run got no better, such as "fallen".
    """

    metric: str
    words: str
    to_error: Callable[[float], float] = as_it_is
    has_fallen: str = "fallen"


DISTANCE = RunScore("swd", "the distance to the data")
