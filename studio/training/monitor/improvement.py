"""Whether a run still gets better, by the score of its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from studio.runs.metrics import read_metrics
from studio.training.scores.score import DISTANCE, RunScore

SMOOTHED = 3  # Scores whose mean is looked at: a single one jumps about.
MIN_FALL = 0.01  # The part of the best mean by which another one has to be lower.


class Improvement:
    """Follows the scores of a run, from its beginning and over all of its sessions.

    Losses say little about pictures (G and D learn against each other), so they are not looked at.

    Args:
        patience: batches without a better mean score after which it is over; None for endless.
        metrics: the file of the run's numbers, for the scores of earlier sessions.
        score: that of the recipe; None where it has none, and the run is never over.
    """

    def __init__(
        self, patience: int | None, metrics: Path, score: RunScore | None = DISTANCE
    ) -> None:
        self._patience, self._batch = (None if score is None else patience), 0
        self._score = score or DISTANCE
        self._first: int | None = None  # The first batch of this session.
        known = read_metrics(metrics) if self._patience is not None else []
        name = self._score.metric
        self._scores = {int(n["batch"]): float(n[name]) for n in known if name in n}
        self._best = self._find_best()

    def add(self, batch: int, numbers: Mapping[str, float]) -> None:
        """Take in the numbers of a batch; those of later batches, before a return, are void."""
        if self._patience is None:
            return
        self._batch, self._first = batch, min(batch, self._first or batch)
        if self._score.metric in numbers:
            self._scores = {b: score for b, score in self._scores.items() if b < batch}
            self._scores[batch] = float(numbers[self._score.metric])
            self._best = self._find_best()

    @property
    def is_over(self) -> bool:
        """Whether the patience of this session is at an end; never before a score is known."""
        if self._patience is None or self._best is None or self._first is None:
            return False
        return self._batch - max(self._best[0], self._first - 1) >= self._patience

    @property
    def reason(self) -> str:
        """Half a sentence about the best batch."""
        batch, _ = self._best or (0, 0.0)
        value = find_mean(self._scores, batch) if self._best else 0.0
        words, fallen = self._score.words, self._score.has_fallen
        return f"{words} has not {fallen} since batch {batch:,} ({value:.4g})"

    def _find_best(self) -> tuple[int, float] | None:
        errors = {batch: self._score.to_error(value) for batch, value in self._scores.items()}
        return find_best(errors)


def find_best(scores: Mapping[int, float]) -> tuple[int, float] | None:
    """The last batch at which the mean error fell, and that mean; None without any.

    Args:
        scores: the error at each batch where it was measured.

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


def find_mean(scores: Mapping[int, float], batch: int) -> float:
    """The mean of the last scores up to a batch.

    Example:
        >>> find_mean({100: 9.0, 200: 6.0}, batch=200)
        7.5
    """
    recent = [scores[known] for known in sorted(scores) if known <= batch][-SMOOTHED:]
    return sum(recent) / len(recent)
