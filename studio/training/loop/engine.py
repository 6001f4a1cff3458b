"""The training loop: batches, checkpoints, frames, states, stopping, resuming, going back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from checkpoints_index.errors import DiskFullError
from renderers.frames.frame_renderer import FrameRenderer
from studio.runs.changes import CONTINUE, PAUSE, SAVE
from studio.training.loop.guards import DivergedError, Rollbacks, read_finite
from studio.training.loop.live_control import Instructions
from studio.training.loop.rejections import Rejections
from studio.training.loop.setting_differences import differences
from studio.training.loop.state import (
    DamagedStateError,
    keep_state,
    list_states,
    load_state,
    save_state,
)
from studio.training.loop.training_context import RealBatches, TrainingContext
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.machine.updater import MICRO_BATCH
from studio.training.recipes import Recipe
from studio.workspace.errors import StudioError

PAUSE_SECONDS = 0.2  # How often a paused run looks for new requests.
PATIENCE_SECONDS = 5.0  # How often a run that waits for room looks at the disk.
EXACT_EVERY = 16  # On a GPU, phases are timed to their end once in so many batches.
WARM_UPS = "d_warm_ups"  # Name of the number of updates of D before the first of G.

Numbers = dict[str, float]


class Training:
    """One session of a run. Batch k is the k-th update of G, and appends checkpoint k.

    On a CPU, a run that was killed and resumed is bit-identical to one that was not.

    Args:
        recipe: untrained; the newest training state is loaded into it.
        data: the real pictures.
        states: the folder of training states.
        watch: measures the phases of a batch.
        processes: this process among those that train together; each has its own recipe and data.
        context: given in the main process, None in the others.
        should_stop: called before each batch; a true answer ends the training cleanly.
        stop_at: the moment of `time.monotonic` by which everything is to be saved.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: RealBatches,
        states: Path,
        watch: Stopwatch,
        processes: Processes,
        context: TrainingContext | None,
        should_stop: Callable[[], bool] = lambda: False,
        stop_at: float = float("inf"),
    ) -> None:
        self._recipe, self._data, self._states, self._watch = recipe, data, states, watch
        self._processes, self._context = processes, context
        self._should_stop, self._stop_at = should_stop, stop_at
        self._renderer, self._process = FrameRenderer(), psutil.Process()
        self._rollbacks, self._rejections = Rollbacks(), Rejections(recipe)
        self._is_paused = False
        self._pass_size: float | None = None
        self._saved_batch, self._saved_at, self._saving_s = -1, time.monotonic(), 1.0
        self._saved_settings: dict[str, Any] = {}
        self._began, self._longest_s = time.monotonic(), 0.0
        if context is not None:
            recipe.before_rendered_changes = context.checkpoints.wait_until_copied

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
            # All processes follow the same instructions of a person.
            instructions = self._processes.agree(self._receive())
            if instructions.stop:
                break
            if self._follow(instructions):
                continue

            # One update of G is made; one that diverges is left out, or sends the run back.
            self._watch.exact = recipe.batch % EXACT_EVERY == 0
            try:
                numbers = self._update(recipe.step)
            except DivergedError as trouble:
                self._go_back(trouble)
                continue
            self._report_passes()

            # The checkpoint, the frames and the numbers are kept.
            if self._context is not None:
                self._keep(self._context, numbers, last=recipe.batch == until_batch)
        if self._context is not None:
            self._save(self._context)
        return recipe.batch

    def _update(self, step: Callable[[RealBatches, Stopwatch], dict[str, Tensor]]) -> Numbers:
        """Make an update; one that is not finite is left out, where the settings say so.

        Returns:
            Its metrics, those that are finite where it was left out.

        Raises:
            DivergedError: it is not finite, and the run is to go back.
        """
        self._rejections.remember()
        try:
            numbers = read_finite(self._recipe, step(self._data, self._watch))
        except DivergedError as trouble:
            counted, is_news = self._rejections.reject(trouble)
            if is_news:
                text = f"{trouble.what} is not finite: the update was left out"
                self._report("rejected", text)
            return trouble.metrics | counted
        numbers |= self._rejections.accept()
        self._rollbacks.passed(self._recipe.batch, numbers)
        return numbers

    def _report_passes(self) -> None:
        """Report passes that became smaller because memory ran out: batch norm sees fewer."""
        size = self._recipe.numbers.get(MICRO_BATCH)
        if size is not None and size != self._pass_size:
            self._report("changed", f"memory ran out: a batch is taken in passes of {size:.0f}")
        self._pass_size = size

    def _begin(self) -> None:
        """Load the newest state, or save a first one; drop everything that is later than it."""
        batch = self._load_newest()
        if self._context is not None:
            if batch is None:
                self._begin_anew(self._context)
            self._context.checkpoints.truncate(self._recipe.batch)
            self._context.film.truncate(self._recipe.batch)
            self._recipe.configure(self._context.control.settings_after(self._recipe.batch))
            self._report_resumed(batch)
            self._choose_points(self._context)
        self._recipe.configure(self._processes.agree(self._recipe.config))
        self._pass_size = self._recipe.numbers.get(MICRO_BATCH)
        self._warm_up()
        self._began = time.monotonic()

    def _load_newest(self) -> int | None:
        """Load the newest whole state; its batch, or None where the run begins."""
        self._recipe.before_rendered_changes()
        paths = list_states(self._states)
        for number, path in enumerate(reversed(paths), 1):
            try:
                self._saved_settings = load_state(path, self._recipe, self._data)
            except DamagedStateError as error:
                if number == len(paths):
                    raise
                self._report("resumed", f"{error} The one before it is used.")
                continue
            self._saved_batch = self._recipe.batch
            return self._recipe.batch
        return None

    def _report_resumed(self, batch: int | None) -> None:
        """Report where the run goes on, and which settings differ from those of the state."""
        if batch is None:
            return
        self._report("resumed", f"goes on from the training state of batch {batch:,}")
        for difference in differences(self._saved_settings, self._recipe.config):
            self._report("changed", f"{difference}, in run.toml")

    def _begin_anew(self, context: TrainingContext) -> None:
        """Save the first state of a run; refuse one that has checkpoints but no state."""
        if context.checkpoints.last_batch is not None:
            raise StudioError(
                f"This run has checkpoints up to batch {context.checkpoints.last_batch}, but no "
                f"training state in {self._states}, so it cannot go on. Train under another name."
            )
        self._report("started", "training began")
        self._save(context)

    def _warm_up(self) -> None:
        """Let D see real and generated pictures before G begins; a killed warm-up begins anew."""
        recipe, done = self._recipe, self._recipe.numbers.get(WARM_UPS, 0)
        wanted = recipe.config.d_warm_up if recipe.batch == 0 else 0
        if done >= wanted:
            return
        for _ in range(int(done), wanted):
            self._update(recipe.warm_up)
        recipe.numbers[WARM_UPS] = wanted
        self._report("saved", f"D saw {wanted:,} batches before G begins")
        if self._context is not None:
            self._save(self._context, again=True)

    def _receive(self) -> Instructions:
        """The instructions that the main process has; the others get them from there."""
        if self._context is None:
            return Instructions(self._recipe.config)
        late = time.monotonic() + self._ending_s > self._stop_at
        instructions = self._context.control.poll(self._recipe.batch + 1)
        return dataclasses.replace(instructions, stop=late or self._should_stop())

    @property
    def _ending_s(self) -> float:
        """Seconds that one more batch and saving everything may take."""
        return 2 * (self._longest_s + self._saving_s) + 1

    def _follow(self, instructions: Instructions) -> bool:
        """Apply the settings and answer the requests; True while the run is paused."""
        config = instructions.config
        if config != self._recipe.config:
            points = self._recipe.config.fixed_points
            self._recipe.configure(config)
            if self._context is not None and points != config.fixed_points:
                self._choose_points(self._context)
        for request in instructions.requests:
            self._answer(request)
        if self._is_paused:
            time.sleep(PAUSE_SECONDS)
            self._began = time.monotonic()
        return self._is_paused

    def _answer(self, request: str) -> None:
        """Save a state for good, pause, or continue."""
        if request == SAVE and self._context is not None:
            path = keep_state(self._save(self._context))
            self._report("saved", f"training state of batch {int(path.stem):,} kept for good")
        elif request == PAUSE and not self._is_paused:
            self._is_paused = True
            self._report("paused", "paused as asked")
        elif request == CONTINUE and self._is_paused:
            self._is_paused = False
            self._report("continued", "going on")

    def _keep(self, context: TrainingContext, numbers: dict[str, float], last: bool) -> None:
        """Append the checkpoint, render the frames, hand on the numbers, save the state if due."""
        recipe, config = self._recipe, self._recipe.config
        batch = recipe.batch
        if batch % config.checkpoint_every == 0 or last:
            with self._watch("checkpoint"):
                weights = recipe.rendered.state_dict()
                self._when_there_is_room(
                    lambda: context.checkpoints.append(batch, weights, lent=True)
                )
        frames = None
        films = config.film_every > 0 and batch % config.film_every == 0
        if films or last or batch == 1 or batch % config.preview_every == 0:
            with self._watch("frames"):
                frames = self._renderer.render(recipe.rendered, self._fixed_z)
                if films:
                    context.film.add(batch, frames)
        context.on_batch(batch, numbers | self._measure(), frames)
        late = time.monotonic() - self._saved_at > 60 * config.state_minutes
        if late or batch % config.state_every == 0:
            self._save(context)

    def _measure(self) -> dict[str, float]:
        """The seconds and bytes of memory that a batch took, and its learning rates."""
        now, config = time.monotonic(), self._recipe.config
        seconds, self._began = now - self._began, now
        self._longest_s = max(seconds, 0.9 * self._longest_s)
        rates = {
            f"learning_rate_{name.removeprefix('optimizer_')}": optimizer.param_groups[0]["lr"]
            for name, optimizer in self._recipe.optimizers.items()
        }
        on_gpu = self._processes.device.type == "cuda"
        memory = torch.cuda.max_memory_allocated() if on_gpu else self._process.memory_info().rss
        return {
            **rates,
            **{name: round(phase_s, 5) for name, phase_s in self._watch.take().items()},
            "seconds": round(seconds, 5),
            "pictures_per_s": round(config.batch_size / max(seconds, 1e-9), 2),
            "memory_bytes": memory,
        }

    def _save(self, context: TrainingContext, again: bool = False) -> Path:
        """Save the training state, once everything before it is safely on disk."""
        path = self._states / f"{self._recipe.batch}.safetensors"
        if self._saved_batch == self._recipe.batch and not again and path.exists():
            return path
        began = time.monotonic()
        self._when_there_is_room(context.checkpoints.flush)
        context.film.close_chunk()
        context.flush_metrics()
        self._when_there_is_room(lambda: save_state(self._states, self._recipe, self._data))
        self._saved_batch, self._saved_at = self._recipe.batch, time.monotonic()
        self._saving_s = self._saved_at - began
        return path

    def _go_back(self, trouble: DivergedError) -> None:
        """Go on from the newest state with lower learning rates."""
        config = self._recipe.config
        number = self._rollbacks.count(trouble, config.rollbacks)
        self._rejections.forget()
        to_batch = self._load_newest()
        assert to_batch is not None, "the first state is saved before the first batch"
        if self._context is not None:
            self._context.checkpoints.truncate(to_batch)
            self._context.film.truncate(to_batch)
            config = self._context.control.go_back(trouble.batch, to_batch, config.rollback_factor)
        self._recipe.configure(self._processes.agree(config))
        if self._rejections.begin_row() and self._context is not None:
            self._save(self._context, again=True)
        self._report(
            "rolled_back",
            f"{trouble} Back at batch {to_batch:,}, learning rates times "
            f"{config.rollback_factor:g} (try {number} of {config.rollbacks})",
            trouble.batch,
        )

    def _choose_points(self, context: TrainingContext) -> None:
        """Put as many fixed points on the device as the settings ask for."""
        points = context.choose_points(self._recipe.config.fixed_points)
        self._fixed_z = points.to(self._processes.device)

    def _when_there_is_room(self, keep: Callable[[], Any]) -> None:
        """Call something that needs room on the disk; while it is full, the run waits."""
        waited = False
        while True:
            try:
                keep()
                break
            except DiskFullError as error:
                if self._should_stop():
                    raise
                if not waited:
                    self._report("paused", str(error))
                waited = True
                time.sleep(PATIENCE_SECONDS)
        if waited:
            self._report("continued", "there is room on the disk again")

    def _report(self, kind: str, text: str, batch: int | None = None) -> None:
        if self._context is not None:
            self._context.on_event(self._recipe.batch if batch is None else batch, kind, text)
