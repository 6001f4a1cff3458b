"""One session of a run: opens everything that a run reads and writes, and trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from typing import Any

import numpy as np
from torch import Tensor

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.trusted_classes import import_trusted
from renderers.progress import OnProgress
from studio.datasets.held_out import SplitDataset, split_dataset
from studio.datasets.listing import open_dataset
from studio.runs.changes import named_by
from studio.runs.config import TrainingConfig, seal_settings
from studio.runs.events import record_event
from studio.runs.status import read_config
from studio.specimens.points import FIXED, points_of
from studio.training.loop.engine import Training
from studio.training.loop.fixed_points import FixedPoints
from studio.training.loop.live_control import LiveControl
from studio.training.loop.live_film import LiveFilm
from studio.training.loop.training_context import TrainingContext
from studio.training.machine.memory import keep_freed_memory
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.monitor.improvement import Improvement
from studio.training.monitor.watcher import Watcher
from studio.training.recipes import Recipe, build_recipe, find_recipe
from studio.training.recipes.recipe import DrawnData
from studio.workspace.claims import Claim, claiming
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.progress import Say, ignore_line
from studio.workspace.trust import require_trusted

# The name under which the training state keeps the position in the negatives.
NEGATIVES_STATE = "nulls"
# The name under which it keeps what tells the datasets from others of their names.
DATASETS_STATE = "datasets"


def train_run(
    workspace: Workspace,
    name: str,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
    duration_s: float = float("inf"),
    patience: int | None = None,
    say: Say = ignore_line,
    device: str | None = None,
) -> tuple[str, int]:
    """Train a run from its newest state to its last batch, or until it is asked to stop.

    Where several processes train together, each calls this, and the main process writes.

    Args:
        name: the run.
        on_progress: called after each batch.
        should_stop: called before each batch; a true answer ends the session cleanly.
        duration_s: seconds by which everything is saved and the session has ended.
        patience: batches after which it ends if the distance to the data has not fallen.
        say: called with every event, as a line.
        device: where a process that trains by itself works; the first GPU by default.

    Returns:
        ("finished" or "stopped", the last batch trained).

    Raises:
        StudioError: unknown run, missing dataset, diverged training, full disk, a second writer.
    """
    stop_at = time.monotonic() + duration_s
    keep_freed_memory()
    config = read_config(workspace, name)
    for named in named_by(workspace, name):
        require_trusted(workspace, named)
    import_trusted(workspace.runs, config.generator)
    processes = Processes.join(device)
    try:
        with ExitStack() as stack:
            if processes.is_main:
                stack.enter_context(claiming_datasets(workspace, name, config))
            data = stack.enter_context(closing(TrainingData(workspace, config, processes)))
            recipe = build_recipe(config, processes, data.negatives)
            context = None
            improvement = Improvement(patience, workspace.metrics(name), recipe.score)
            if processes.is_main:
                opened = open_context(
                    workspace, name, recipe, data.split, improvement, on_progress, say
                )
                context = stack.enter_context(opened)
                report = context.on_event
                data.on_change = lambda text: report(recipe.batch, "changed", text)
            training = Training(
                recipe,
                data,
                workspace.training_states(name),
                Stopwatch(processes.device, recipe.phases),
                processes,
                context,
                lambda: should_stop() or improvement.is_over,
                stop_at,
            )
            last = training.run(config.batches)
    finally:
        processes.leave()
    return ("finished" if last >= config.batches else "stopped"), last


def claiming_datasets(
    workspace: Workspace, run: str, config: TrainingConfig
) -> AbstractContextManager[None]:
    """Hold the datasets that a run is trained on for the length of a block.

    Raises:
        InUseError: somebody deletes, renames or replaces one; nothing was touched.
    """
    names = dict.fromkeys(filter(None, (config.dataset, config.negatives)))
    return claiming(workspace, [Claim("dataset", name) for name in names], f"training {run}")


class TrainingData(Iterator[Any]):
    """What the recipe draws from its dataset, and beside it negatives, with one state for both.

    Attributes:
        split: the dataset, and which of its pictures are held out.
        negatives: batches of pictures that D learns as generated ones; None where there are none.
        on_change: called with a sentence for each dataset that is another than the state knows.

    Raises:
        StudioError: a dataset is missing, too small, or has too small pictures.
    """

    def __init__(self, workspace: Workspace, config: TrainingConfig, processes: Processes) -> None:
        self.on_change: Say = ignore_line
        self._identities: dict[str, dict[str, Any]] = {}

        recipe = find_recipe(config.recipe)

        def open_split(name: str, held_out: float) -> SplitDataset:
            opened = open_dataset(workspace, name, recipe.dataset_kind)
            self._identities[name] = opened.identity()
            return split_dataset(opened, held_out)

        self.split = open_split(config.dataset, config.held_out)
        self._reals = recipe.open_data(config, self.split, config.seed, processes)
        self.negatives: DrawnData | None = None
        if config.negatives:
            negatives = open_split(config.negatives, 0)
            self.negatives = recipe.open_data(config, negatives, config.seed + 1, processes)

    def __next__(self) -> Any:
        """What the next update learns from; see `Recipe.open_data`."""
        return next(self._reals)

    @property
    def state(self) -> dict[str, Any]:
        """Where the draws of both stand, as JSON can hold it."""
        negatives = {} if self.negatives is None else {NEGATIVES_STATE: self.negatives.state}
        return {**self._reals.state, **negatives, DATASETS_STATE: self._identities}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        own = dict(state)
        negatives = own.pop(NEGATIVES_STATE, None)
        for name, before in match_datasets(own.pop(DATASETS_STATE, {}), self._identities):
            if self._identities[name] != before:
                self.on_change(describe_change(name, before, self._identities[name]))
        self._reals.state = own
        if self.negatives is not None and negatives is not None:
            self.negatives.state = negatives

    def close(self) -> None:
        """End the threads that gather batches."""
        self._reals.close()
        if self.negatives is not None:
            self.negatives.close()


def match_datasets(
    before: Mapping[str, dict[str, Any]], now: Mapping[str, dict[str, Any]]
) -> list[tuple[str, dict[str, Any]]]:
    """What each dataset of a run was when its state was saved, by the name that it has now.

    One that was renamed meanwhile takes the place of the one whose name is gone.

    Example:
        >>> match_datasets({"mine": {"pictures": 9}}, {"yours": {"pictures": 9}})
        [('yours', {'pictures': 9})]
    """
    gone = [name for name in before if name not in now]
    new = [name for name in now if name not in before]
    renamed = zip(new, gone, strict=True) if len(new) == len(gone) == 1 else ()
    same = [(name, before[name]) for name in now if name in before]
    return same + [(name, before[former]) for name, former in renamed]


def describe_change(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """How a dataset differs from the one that a run was trained on so far.

    Args:
        before, now: as `PreparedDataset.identity` tells.

    Example:
        >>> old = {"digest": "a", "pictures": 9, "image_size": 32}
        >>> describe_change("mine", old, {**old, "digest": "b", "pictures": 12})
        "dataset 'mine' was replaced: 9 pictures of 32 px -> 12 pictures of 32 px"
    """
    sizes = [f"{d['pictures']:,} pictures of {d['image_size']} px" for d in (before, now)]
    told = " -> ".join(sizes) if sizes[0] != sizes[1] else f"{sizes[0]}, other ones"
    return f"dataset '{name}' was replaced: {told}"


@contextmanager
def open_context(
    workspace: Workspace,
    name: str,
    recipe: Recipe,
    data: SplitDataset,
    improvement: Improvement,
    on_progress: OnProgress,
    say: Say,
) -> Iterator[TrainingContext]:
    """Open everything that a run writes, and record how the session ends."""
    config = recipe.config
    with ExitStack() as stack:
        checkpoints = stack.enter_context(CheckpointIndex(workspace.runs)[name])
        checkpoints.begin_writing()  # A session that is refused here has touched nothing.
        seal_settings(workspace.run_config(name))
        events = EventLog(workspace, name, say)
        fixed = FixedPoints(workspace, name, recipe, data)

        def on_event(batch: int, kind: str, text: str) -> None:
            events.add(batch, kind, text)
            watcher.on_event(batch, kind, text)

        watcher = Watcher(workspace, name, recipe, data, fixed, on_event, on_progress)
        stack.enter_context(closing(watcher))

        def on_film_failure(reason: str) -> None:
            on_event(recipe.batch, "alarm", f"Film ended: {reason}")

        film = stack.enter_context(closing(open_film(workspace, name, on_film_failure)))

        def choose_points(count: int) -> Tensor:
            z = fixed.choose(count)
            film.change_points(fixed.labels)
            return z

        control = LiveControl(workspace, name, config)
        try:

            def on_batch(batch: int, numbers: dict[str, float], frames: np.ndarray | None) -> None:
                watcher.on_batch(batch, numbers, frames)
                improvement.add(batch, numbers)

            observers = (on_batch, watcher.flush_metrics)
            shown = ShownFilm(film, fixed)
            yield TrainingContext(checkpoints, shown, control, choose_points, *observers, on_event)
        except EXPECTED_ERRORS as error:
            on_event(recipe.batch, "failed", str(error))
            raise
        status = "finished" if recipe.batch >= config.batches else "stopped"
        why = f": {improvement.reason}" if improvement.is_over and status == "stopped" else ""
        on_event(recipe.batch, status, f"{status} at batch {recipe.batch:,}{why}")


def open_film(workspace: Workspace, run: str, on_failure: Callable[[str], None]) -> LiveFilm:
    """The live film of a run's fixed points; see `LiveFilm`."""
    labels = [point.label for point in points_of(workspace, run, FIXED)]
    return LiveFilm(workspace.live_film(run), labels, on_failure=on_failure)


class ShownFilm:
    """A live film of what the recipe shows of the fixed points; see `FrameSink`."""

    def __init__(self, film: LiveFilm, fixed: FixedPoints) -> None:
        self._film, self._fixed = film, fixed

    def add(self, batch: int, frames: np.ndarray) -> None:
        """Take pictures of all points: uint8 [P, S, S, 3]."""
        self._film.add(batch, self._fixed.show(frames))

    def close_chunk(self) -> None:
        """Return when all frames so far are safely on disk."""
        self._film.close_chunk()

    def truncate(self, batch: int) -> None:
        """Drop the frames of later batches."""
        self._film.truncate(batch)


class EventLog:
    """Records events and says them; where the disk has no room for one, it waits for the next."""

    def __init__(self, workspace: Workspace, run: str, say: Say) -> None:
        self._workspace, self._run, self._say = workspace, run, say
        self._waiting: list[tuple[int, str, str]] = []

    def add(self, batch: int, kind: str, text: str) -> None:
        """Take in an event; its kind is one of `studio.runs.events.KINDS`."""
        self._waiting.append((batch, kind, text))
        self._say(f"{self._run}, batch {batch:,}: {text}")
        try:
            while self._waiting:
                record_event(self._workspace, self._run, *self._waiting[0])
                self._waiting.pop(0)
        except EXPECTED_ERRORS as error:
            self._say(str(error))
