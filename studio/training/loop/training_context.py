"""The interfaces between the training loop and what surrounds it: storage, control, observers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from studio.runs.config import TrainingConfig
from studio.training.loop.live_control import Instructions


class CheckpointSink(Protocol):
    """Takes the generators; a run of the checkpoints index is one."""

    @property
    def last_batch(self) -> int | None:
        """The newest checkpoint, if there is any."""

    def append(self, batch: int, state_dict: Mapping[str, Tensor], lent: bool = False) -> None:
        """Take the generator of a batch, which may stay as it is until `wait_until_copied`."""

    def wait_until_copied(self) -> None:
        """Return when the generator that was lent may change."""

    def flush(self) -> None:
        """Return when all that was appended is safely on disk."""

    def truncate(self, after_batch: int) -> None:
        """Drop the checkpoints of later batches."""


class FrameSink(Protocol):
    """Takes the frames of the fixed points; a LiveFilm is one."""

    def add(self, batch: int, frames: np.ndarray) -> None:
        """Take frames of all points: uint8 [P, S, S, 3]."""

    def close_chunk(self) -> None:
        """Return when all frames so far are safely on disk."""

    def truncate(self, batch: int) -> None:
        """Drop the frames of later batches."""


class Steering(Protocol):
    """Says what a person wants; see `LiveControl`."""

    def settings_after(self, batch: int) -> TrainingConfig:
        """Go on from a batch; the settings that were in force after it."""

    def poll(self, batch: int) -> Instructions:
        """What holds for a batch."""

    def go_back(self, from_batch: int, to_batch: int, factor: float) -> TrainingConfig:
        """The settings to go on with after a run diverged."""


class RealBatches(Iterator[Tensor], Protocol):
    """Draws batches of real pictures without end.

    Attributes:
        state: where the draws stand, as JSON can hold it.
    """

    state: dict[str, Any]


# Called with a batch, its metrics, and frames uint8 [P, S, S, 3] where they were rendered.
OnBatch = Callable[[int, dict[str, float], np.ndarray | None], None]
# Called with a batch, the kind of an event, and its text.
OnEvent = Callable[[int, str, str], None]


@dataclass(frozen=True)
class TrainingContext:
    """Everything around the loop that only the main process has: storage, control, observers.

    Args:
        checkpoints: takes the generator of every batch.
        film: takes the frames of the fixed points.
        control: says what a person wants.
        choose_points: from a number P to as many fixed points, float32 [P, z_dim].
        on_batch: called after each batch.
        flush_metrics: called before a state is saved; what `on_batch` took is to be on disk then.
        on_event: called with every event.
    """

    checkpoints: CheckpointSink
    film: FrameSink
    control: Steering
    choose_points: Callable[[int], Tensor]
    on_batch: OnBatch
    flush_metrics: Callable[[], None]
    on_event: OnEvent
