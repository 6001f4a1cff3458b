"""Draws batches ahead of the training step, such that the next one depends on a state alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import numpy as np

AHEAD = 2  # Batches that are gathered while one is trained on.

Draw = TypeVar("Draw")
Gathered = TypeVar("Gathered")
Batch = TypeVar("Batch")


class DrawnAhead(Iterator[Batch], ABC, Generic[Draw, Gathered, Batch]):
    """Draws batches without end, of which the next ones are gathered by a thread.

    The next batch depends on `state` alone, however many have been gathered ahead of their use:
    saving `state` saves the position in the data.

    Args:
        seed: seeds the draws.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._position = self.state_of_draws()
        self._worker: ThreadPoolExecutor | None = None
        self._ahead: deque[tuple[dict[str, Any], Future[Gathered]]] = deque()

    @abstractmethod
    def _draw(self) -> Draw:
        """The random choices of a batch."""

    @abstractmethod
    def _gather(self, draw: Draw) -> Gathered:
        """Read what was chosen; called in the thread."""

    @abstractmethod
    def _finish(self, gathered: Gathered) -> Batch:
        """The batch, once it is needed."""

    def __next__(self) -> Batch:
        """The next batch; an error while it was gathered is raised here."""
        while len(self._ahead) <= AHEAD:
            self._begin_another()
        position, future = self._ahead[0]
        gathered = future.result()
        self._ahead.popleft()
        self._position = position
        return self._finish(gathered)

    @property
    def state(self) -> dict[str, Any]:
        """The random state after the batches that were taken, as JSON can hold it."""
        return self._position

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self.close()
        self._rng.bit_generator.state = state
        self._position = self.state_of_draws()

    def state_of_draws(self) -> dict[str, Any]:
        """The random state after the batches that are gathered ahead."""
        return dict(self._rng.bit_generator.state)

    def close(self) -> None:
        """End the thread and drop what it gathered; taking another batch starts it again."""
        if self._worker is not None:
            self._worker.shutdown(cancel_futures=True)
        self._worker = None
        self._ahead.clear()
        self._rng.bit_generator.state = self._position

    def _begin_another(self) -> None:
        """Draw a batch here, in the order of use, and let the thread gather it."""
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, "batches")
        draw = self._draw()
        self._ahead.append((self.state_of_draws(), self._worker.submit(self._gather, draw)))
