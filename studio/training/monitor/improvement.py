"""Whether a run still gets better, by the distance of its pictures to the data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from studio.runs.metrics import read_metrics

SCORE = "swd"
SMOOTHED = 3  # Distances whose mean is looked at: a single one jumps about.
MIN_FALL = 0.01  # The part of the best mean by which another one has to be lower.


class Improvement:
    """Follows the distances of a run, from its beginning and over all of its sessions.

    Losses say little about pictures (G and D learn against each other), so they are not looked at.

    Args:
        patience: batches without a lower mean distance after which it is over; None for endless.
        metrics: the file of the run's numbers, for the distances of earlier sessions.
    """

    def __init__(self, patience: int | None, metrics: Path) -> None:
        self._patience, self._batch = patience, 0
        self._first: int | None = None  # The first batch of this session.
        known = read_metrics(metrics) if patience is not None else []
        self._scores = {int(n["batch"]): float(n[SCORE]) for n in known if SCORE in n}
        self._best = find_best(self._scores)

    def add(self, batch: int, numbers: Mapping[str, float]) -> None:
        """Take in the numbers of a batch; those of later batches, before a return, are void."""
        if self._patience is None:
            return
        self._batch, self._first = batch, min(batch, self._first or batch)
        if SCORE in numbers:
            self._scores = {b: score for b, score in self._scores.items() if b < batch}
            self._scores[batch] = float(numbers[SCORE])
            self._best = find_best(self._scores)

    @property
    def is_over(self) -> bool:
        """Whether the patience of this session is at an end; never before a distance is known."""
        if self._patience is None or self._best is None or self._first is None:
            return False
        return self._batch - max(self._best[0], self._first - 1) >= self._patience

    @property
    def reason(self) -> str:
        """Half a sentence about the best batch."""
        batch, score = self._best or (0, 0.0)
        return f"the distance to the data has not fallen since batch {batch:,} ({score:.4g})"


def find_best(scores: Mapping[int, float]) -> tuple[int, float] | None:
    """The last batch at which the mean distance fell, and that mean; None without any.

    Args:
        scores: the distance at each batch where it was measured.

    Example:
        >>> find_best({100: 9.0, 200: 6.0, 300: 6.0, 400: 6.0, 500: 6.0})
        (400, 6.0)
    """
    best: tuple[int, float] | None = None
    batches = sorted(scores)
    for end in range(1, len(batches) + 1):
        recent = [scores[batch] for batch in batches[max(0, end - SMOOTHED) : end]]
        mean = sum(recent) / len(recent)
        if best is None or mean < best[1] * (1 - MIN_FALL):
            best = batches[end - 1], mean
    return best
