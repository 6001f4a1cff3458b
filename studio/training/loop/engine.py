"""The engine owns time: batches, checkpoints, frames, states, stopping, resuming, going back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import psutil
import torch
from torch import Tensor

from checkpoints_index.errors import DiskFullError
from renderers.frames.frame_renderer import FrameRenderer
from studio.runs.changes import CONTINUE, PAUSE, SAVE
from studio.runs.config import TrainingConfig
from studio.runs.setting_differences import differences
from studio.training.loop.control import Orders
from studio.training.loop.guards import DivergedError, Rollbacks, read_finite
from studio.training.loop.state import (
    DamagedStateError,
    keep_state,
    list_states,
    load_state,
    save_state,
)
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import Recipe
from studio.workspace.errors import StudioError

PAUSE_SECONDS = 0.2  # between two looks of a run that was told to wait
PATIENCE_SECONDS = 5.0  # between two looks at a full disk
EXACT_EVERY = 16  # batches between those whose phases are timed to the end on a GPU
WARM_UPS = "d_warm_ups"  # updates of D before the first of G, among the recipe's numbers


class Checkpoints(Protocol):
    """Where the generators go; a run of the checkpoints index is one."""

    @property
    def last_batch(self) -> int | None: ...
    def append(self, batch: int, state_dict: Mapping[str, Tensor]) -> None: ...
    def flush(self) -> None: ...
    def truncate(self, after_batch: int) -> None: ...


class Film(Protocol):
    """Where the frames of the fixed points go."""

    def add(self, batch: int, frames: np.ndarray) -> None: ...
    def close_chunk(self) -> None: ...
    def truncate(self, batch: int) -> None: ...


class Control(Protocol):
    """What a person wants of the run."""

    def go_on_from(self, batch: int) -> TrainingConfig: ...
    def look(self, batch: int) -> Orders: ...
    def go_back(self, from_batch: int, to_batch: int, factor: float) -> TrainingConfig: ...


class Data(Iterator[Tensor], Protocol):
    """Draws batches of real pictures without end; its state says where it stands."""

    state: dict[str, Any]


Observe = Callable[[int, dict[str, float], np.ndarray | None], None]
Tell = Callable[[int, str, str], None]  # a batch, the kind of an event, and its text


@dataclass(frozen=True)
class TrainingContext:
    """What belongs to the one process that keeps and tells.

    Args:
        checkpoints: takes the generator of every batch.
        film: takes the frames of the fixed points.
        control: says what a person wants.
        choose_points: float32 [P, z_dim], so many fixed points as are asked for.
        observe: called with each batch's number, its metrics, and the frames of the fixed points,
            uint8 [P, S, S, 3], where they were rendered.
        settle: called before a state is saved; what was observed is to be on disk then.
        tell: told every event.
    """

    checkpoints: Checkpoints
    film: Film
    control: Control
    choose_points: Callable[[int], Tensor]
    observe: Observe
    settle: Callable[[], None]
    tell: Tell


class Training:
    """One sitting of a run. Batch k is the k-th generator update, and appends checkpoint k.

    On a CPU, a run that was killed and resumed is bit-identical to one that was not.

    Args:
        recipe: untrained; it is put where the newest training state stands.
        data: the real pictures.
        states: the folder of training states.
        watch: counts where the time goes.
        processes: all that train together; each has its own recipe and data.
        around: of the main process; the others have none.
        should_stop: asked before each batch; a true answer ends the training cleanly.
        stop_at: moment of `time.monotonic` by which everything is to be saved.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        states: Path,
        watch: Stopwatch,
        processes: Processes,
        around: TrainingContext | None,
        should_stop: Callable[[], bool] = lambda: False,
        stop_at: float = float("inf"),
    ) -> None:
        self._recipe, self._data, self._states, self._watch = recipe, data, states, watch
        self._processes, self._around = processes, around
        self._should_stop, self._stop_at = should_stop, stop_at
        self._renderer, self._process = FrameRenderer(), psutil.Process()
        self._rollbacks = Rollbacks()
        self._is_paused = False
        self._saved_batch, self._saved_at, self._saving_s = -1, time.monotonic(), 1.0
        self._saved_settings: dict[str, Any] = {}
        self._began, self._longest_s = time.monotonic(), 0.0

    def run(self, until_batch: int) -> int:
        """Train up to a batch, going on from the newest training state where there is one.

        Returns:
            The last batch trained.

        Raises:
            StudioError: a state of other networks, checkpoints without a state, or training that
                diverges however often it goes back.
        """
        recipe = self._recipe
        self._begin()
        while recipe.batch < until_batch:
            # What a person wants, the same for all processes.
            orders = self._processes.agree(self._receive())
            if orders.stop:
                break
            if self._obey(orders):
                continue

            # One generator update; one that diverges sends the run back.
            self._watch.exact = recipe.batch % EXACT_EVERY == 0
            try:
                numbers = read_finite(recipe, recipe.step(self._data, self._watch))
            except DivergedError as trouble:
                self._go_back(trouble)
                continue
            self._rollbacks.passed(recipe.batch, numbers)

            # What came of it is kept and shown.
            if self._around is not None:
                self._keep(self._around, numbers, last=recipe.batch == until_batch)
        if self._around is not None:
            self._save(self._around)
        return recipe.batch

    def _begin(self) -> None:
        """Go on from the newest state, or save the first one; drop what is later than it."""
        batch = self._load_newest()
        if self._around is not None:
            if batch is None:
                self._begin_anew(self._around)
            self._around.checkpoints.truncate(self._recipe.batch)
            self._around.film.truncate(self._recipe.batch)
            self._recipe.configure(self._around.control.go_on_from(self._recipe.batch))
            self._tell_resumed(batch)
            self._choose_points(self._around)
        self._recipe.configure(self._processes.agree(self._recipe.config))
        self._warm_up()
        self._began = time.monotonic()

    def _load_newest(self) -> int | None:
        """The batch that the run goes on from; None where it begins."""
        paths = list_states(self._states)
        for number, path in enumerate(reversed(paths), 1):
            try:
                self._saved_settings = load_state(path, self._recipe, self._data)
            except DamagedStateError as error:
                if number == len(paths):
                    raise
                self._tell("resumed", f"{error} The one before it is used.")
                continue
            self._saved_batch = self._recipe.batch
            return self._recipe.batch
        return None

    def _tell_resumed(self, batch: int | None) -> None:
        """Say where the run goes on, and what is set otherwise than when the state was saved."""
        if batch is None:
            return
        self._tell("resumed", f"goes on from the training state of batch {batch:,}")
        for difference in differences(self._saved_settings, self._recipe.config):
            self._tell("changed", f"{difference}, in run.toml")

    def _begin_anew(self, around: TrainingContext) -> None:
        if around.checkpoints.last_batch is not None:
            raise StudioError(
                f"This run has checkpoints up to batch {around.checkpoints.last_batch}, but no "
                f"training state in {self._states}, so it cannot go on. Train under another name."
            )
        self._tell("started", "training began")
        self._save(around)

    def _warm_up(self) -> None:
        """Let D see real and generated pictures before G begins; a killed warm-up begins anew."""
        recipe, done = self._recipe, self._recipe.numbers.get(WARM_UPS, 0)
        wanted = recipe.config.d_warm_up if recipe.batch == 0 else 0
        if done >= wanted:
            return
        for _ in range(int(done), wanted):
            read_finite(recipe, recipe.warm_up(self._data, self._watch))
        recipe.numbers[WARM_UPS] = wanted
        self._tell("saved", f"D saw {wanted:,} batches before G begins")
        if self._around is not None:
            self._save(self._around, again=True)

    def _receive(self) -> Orders:
        """What the main process was told; the others hear it from there."""
        if self._around is None:
            return Orders(self._recipe.config)
        late = time.monotonic() + self._ending_s > self._stop_at
        orders = self._around.control.look(self._recipe.batch + 1)
        return dataclasses.replace(orders, stop=late or self._should_stop())

    @property
    def _ending_s(self) -> float:
        """Seconds that one more batch and everything after it may take."""
        return 2 * (self._longest_s + self._saving_s) + 1

    def _obey(self, orders: Orders) -> bool:
        """Do what was asked for; True while the run has to wait."""
        if orders.config != self._recipe.config:
            points = self._recipe.config.fixed_points
            self._recipe.configure(orders.config)
            if self._around is not None and points != orders.config.fixed_points:
                self._choose_points(self._around)
        for request in orders.requests:
            self._answer(request)
        if self._is_paused:
            time.sleep(PAUSE_SECONDS)
            self._began = time.monotonic()
        return self._is_paused

    def _answer(self, request: str) -> None:
        if request == SAVE and self._around is not None:
            path = keep_state(self._save(self._around))
            self._tell("saved", f"training state of batch {int(path.stem):,} kept for good")
        elif request == PAUSE and not self._is_paused:
            self._is_paused = True
            self._tell("paused", "paused as asked")
        elif request == CONTINUE and self._is_paused:
            self._is_paused = False
            self._tell("continued", "going on")

    def _keep(self, around: TrainingContext, numbers: dict[str, float], last: bool) -> None:
        """Append the checkpoint, render the frames, tell the numbers, save the state."""
        recipe, config = self._recipe, self._recipe.config
        batch = recipe.batch
        if batch % config.checkpoint_every == 0 or last:
            with self._watch("checkpoint"):
                weights = recipe.rendered.state_dict()
                self._patiently(lambda: around.checkpoints.append(batch, weights))
        frames = None
        films = config.film_every > 0 and batch % config.film_every == 0
        if films or last or batch == 1 or batch % config.preview_every == 0:
            with self._watch("frames"):
                frames = self._renderer.render(recipe.rendered, self._fixed_z)
                if films:
                    around.film.add(batch, frames)
        around.observe(batch, numbers | self._measure(), frames)
        late = time.monotonic() - self._saved_at > 60 * config.state_minutes
        if late or batch % config.state_every == 0:
            self._save(around)

    def _measure(self) -> dict[str, float]:
        """What a batch took, in seconds and memory, and its learning rates."""
        now, config = time.monotonic(), self._recipe.config
        seconds, self._began = now - self._began, now
        self._longest_s = max(seconds, 0.9 * self._longest_s)
        rates = {
            f"learning_rate_{name[-1]}": optimizer.param_groups[0]["lr"]
            for name, optimizer in self._recipe.optimizers.items()
        }
        on_gpu = self._processes.device.type == "cuda"
        memory = torch.cuda.max_memory_allocated() if on_gpu else self._process.memory_info().rss
        return {
            **rates,
            **{name: round(spent, 5) for name, spent in self._watch.take().items()},
            "seconds": round(seconds, 5),
            "pictures_per_s": round(config.batch_size / max(seconds, 1e-9), 2),
            "memory_bytes": memory,
        }

    def _save(self, around: TrainingContext, again: bool = False) -> Path:
        """Save the training state, once everything before it is safely on disk."""
        path = self._states / f"{self._recipe.batch}.safetensors"
        if self._saved_batch == self._recipe.batch and not again and path.exists():
            return path
        began = time.monotonic()
        self._patiently(around.checkpoints.flush)
        around.film.close_chunk()
        around.settle()
        self._patiently(lambda: save_state(self._states, self._recipe, self._data))
        self._saved_batch, self._saved_at = self._recipe.batch, time.monotonic()
        self._saving_s = self._saved_at - began
        return path

    def _go_back(self, trouble: DivergedError) -> None:
        """Go on from the newest state with lower learning rates."""
        config = self._recipe.config
        number = self._rollbacks.count(trouble, config.rollbacks)
        to_batch = self._load_newest()
        assert to_batch is not None, "the first state is saved before the first batch"
        if self._around is not None:
            self._around.checkpoints.truncate(to_batch)
            self._around.film.truncate(to_batch)
            config = self._around.control.go_back(trouble.batch, to_batch, config.rollback_factor)
        self._recipe.configure(self._processes.agree(config))
        self._tell(
            "rolled_back",
            f"{trouble} Back at batch {to_batch:,}, learning rates times "
            f"{config.rollback_factor:g} (try {number} of {config.rollbacks})",
            trouble.batch,
        )

    def _choose_points(self, around: TrainingContext) -> None:
        points = around.choose_points(self._recipe.config.fixed_points)
        self._fixed_z = points.to(self._processes.device)

    def _patiently(self, keep: Callable[[], Any]) -> None:
        """Do what needs room on the disk; while it is full, the run waits."""
        waited = False
        while True:
            try:
                keep()
                break
            except DiskFullError as error:
                if self._should_stop():
                    raise
                if not waited:
                    self._tell("paused", str(error))
                waited = True
                time.sleep(PATIENCE_SECONDS)
        if waited:
            self._tell("continued", "there is room on the disk again")

    def _tell(self, kind: str, text: str, batch: int | None = None) -> None:
        if self._around is not None:
            self._around.tell(self._recipe.batch if batch is None else batch, kind, text)
