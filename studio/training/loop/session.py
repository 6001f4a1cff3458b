"""One sitting of a run: from what is on disk, training on, to what is on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import torch
from torch import Tensor

from checkpoints_index import CheckpointIndex
from latent.points import LatentPoint, sample_points
from studio.datasets.listing import open_dataset
from studio.runs.config import TrainingConfig
from studio.runs.events import record_event
from studio.runs.status import read_config
from studio.specimens.points import FIXED, keep_points, points_of
from studio.training.loop.batches import Batches
from studio.training.loop.control import Control
from studio.training.loop.engine import Training, TrainingContext
from studio.training.loop.live_film import LiveFilm
from studio.training.machine.memory import keep_freed_memory
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.monitor.watching import Watcher
from studio.training.recipes import Recipe, build_recipe
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.progress import OnProgress, Say, say_nothing


def train_run(
    workspace: Workspace,
    name: str,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
    duration_s: float = float("inf"),
    say: Say = say_nothing,
) -> tuple[str, int]:
    """Train a run until its last batch, or until asked to stop, and go on from where it was.

    Where several processes train together, each calls this, and the main one writes.

    Args:
        duration_s: by then everything is saved and the run has stopped.
        say: told every event in a line.

    Returns:
        ("finished" or "stopped", the last batch trained).

    Raises:
        StudioError: unknown run, missing dataset, diverged training, full disk, a second writer.
    """
    stop_at = time.monotonic() + duration_s
    keep_freed_memory()
    config = read_config(workspace, name)
    processes = Processes.join()
    try:
        with ExitStack() as stack:
            feed = stack.enter_context(closing(Feed(workspace, config, processes)))
            recipe = build_recipe(config, processes, feed.nulls)
            around = None
            if processes.is_main:
                around = stack.enter_context(
                    surroundings(workspace, name, recipe, config, on_progress, say)
                )
            training = Training(
                recipe,
                feed,
                workspace.training_states(name),
                Stopwatch(processes.device),
                processes,
                around,
                should_stop,
                stop_at,
            )
            last = training.run(config.batches)
    finally:
        processes.leave()
    return ("finished" if last >= config.batches else "stopped"), last


class Feed(Iterator[Tensor]):
    """The real pictures, and beside them those of what is not wanted, with one state for both."""

    def __init__(self, workspace: Workspace, config: TrainingConfig, processes: Processes) -> None:
        def open_batches(dataset: str, seed: int) -> Batches:
            pixels = open_dataset(workspace, dataset).pixels
            size, device = config.image_size, processes.device
            flips = config.random_flips
            return Batches(pixels, size, config.batch_size, seed, flips, device, processes)

        self._reals = open_batches(config.dataset, config.seed)
        self.nulls = None
        if config.null_pictures:
            self.nulls = open_batches(config.null_pictures, config.seed + 1)

    def __next__(self) -> Tensor:
        return next(self._reals)

    @property
    def state(self) -> dict[str, Any]:
        nulls = {} if self.nulls is None else {"nulls": self.nulls.state}
        return {**self._reals.state, **nulls}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        own = dict(state)
        nulls = own.pop("nulls", None)
        self._reals.state = own
        if self.nulls is not None and nulls is not None:
            self.nulls.state = nulls

    def close(self) -> None:
        self._reals.close()
        if self.nulls is not None:
            self.nulls.close()


@contextmanager
def surroundings(
    workspace: Workspace,
    name: str,
    recipe: Recipe,
    config: TrainingConfig,
    on_progress: OnProgress,
    say: Say,
) -> Iterator[TrainingContext]:
    """Everything that a run writes, open; how the sitting ends is recorded."""
    with ExitStack() as stack:
        checkpoints = stack.enter_context(CheckpointIndex(workspace.runs)[name])
        events = EventLog(workspace, name, say)
        pixels = open_dataset(workspace, config.dataset).pixels

        def tell(batch: int, kind: str, text: str) -> None:
            events.tell(batch, kind, text)
            watcher.note(batch, kind, text)

        watcher = Watcher(workspace, name, recipe, pixels, config.batches, tell, on_progress)
        stack.enter_context(closing(watcher))
        labels = [point.label for point in points_of(workspace, name, FIXED)]
        film = LiveFilm(
            workspace.live_film(name),
            labels,
            on_failure=lambda reason: tell(recipe.batch, "alarm", f"Film ended: {reason}"),
        )
        stack.enter_context(closing(film))

        def choose_points(count: int) -> Tensor:
            points = choose_fixed_points(workspace, name, count, config.z_dim)
            film.change_points([point.label for point in points])
            return torch.stack([point.z for point in points])

        control = Control(workspace, name, config)
        try:
            yield TrainingContext(
                checkpoints, film, control, choose_points, watcher.look, watcher.settle, tell
            )
        except EXPECTED_ERRORS as error:
            tell(recipe.batch, "failed", str(error))
            raise
        status = "finished" if recipe.batch >= config.batches else "stopped"
        tell(recipe.batch, status, f"{status} at batch {recipe.batch:,}")


def choose_fixed_points(
    workspace: Workspace, run: str, count: int, z_dim: int
) -> list[LatentPoint]:
    """The first of a run's fixed points, and further ones where there are too few."""
    points = points_of(workspace, run, FIXED)
    if len(points) < count:
        keep_points(workspace, run, sample_points(0, range(count), z_dim), origin=FIXED)
        points = points_of(workspace, run, FIXED)
    return points[:count]


class EventLog:
    """Records and says events; where the disk has no room for one, it waits for the next."""

    def __init__(self, workspace: Workspace, run: str, say: Say) -> None:
        self._workspace, self._run, self._say = workspace, run, say
        self._waiting: list[tuple[int, str, str]] = []

    def tell(self, batch: int, kind: str, text: str) -> None:
        self._waiting.append((batch, kind, text))
        self._say(f"{self._run}, batch {batch:,}: {text}")
        try:
            while self._waiting:
                record_event(self._workspace, self._run, *self._waiting[0])
                self._waiting.pop(0)
        except EXPECTED_ERRORS as error:
            self._say(str(error))
