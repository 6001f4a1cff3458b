"""Writes what people watch of a run: numbers, curves, histograms, previews, alarms."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch

from checkpoints_index.storage.catalogue import open_catalogue
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import arrange_grid, enlarge
from renderers.progress import OnProgress
from studio.datasets.held_out import SplitDataset
from studio.runs.forecast import forecast_growth
from studio.runs.metrics import MetricsLog
from studio.runs.notices import Notices
from studio.training.monitor.alarms import Alarm, Alarms
from studio.training.monitor.histograms import append_histograms, measure_layers
from studio.training.monitor.observations import Observer
from studio.training.monitor.tensorboard_log import MissingTensorBoardError, TensorBoardLog
from studio.training.recipes import Recipe
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace

PREVIEW_HEIGHT_PX = 160
MEASURED = 16  # Pictures in a batch for the histograms of activations.
FORECAST_EVERY = 100  # Batches between two checks of the disk.
POINTS_SEED = 20_000  # Seeds the latent points that only the watcher uses.

log = logging.getLogger(__name__)


class WatchedPoints(Protocol):
    """The fixed points of a run, as far as the watcher is concerned; see `FixedPoints`."""

    def show(self, pictures: np.ndarray) -> np.ndarray:
        """What is shown of pictures of the points, uint8 [P, S, S, 3]: uint8 [P, H, W, 3]."""

    def representative(self, count: int, seed: int) -> torch.Tensor:
        """Points for measuring layers, float32 [count or fewer, z_dim], on the CPU."""


class Watcher:
    """Watches one session of a run. Nothing here stops the training: what fails is an event, once.

    Args:
        recipe: the recipe that trains.
        data: the run's dataset.
        fixed: its fixed points.
        on_alarm: called with each alarm as an event: batch, kind, text.
        on_progress: called after each batch.
    """

    def __init__(
        self,
        workspace: Workspace,
        run: str,
        recipe: Recipe,
        data: SplitDataset,
        fixed: WatchedPoints,
        on_alarm: Callable[[int, str, str], None],
        on_progress: OnProgress,
    ) -> None:
        self._workspace, self._run, self._recipe, self._data = workspace, run, recipe, data
        self._fixed, self._on_alarm, self._on_progress = fixed, on_alarm, on_progress
        self._batches = recipe.config.batches
        self._metrics, self._notices = MetricsLog(workspace.metrics(run)), Notices(workspace)
        self._observer, self._alarms = Observer(), Alarms(recipe.config)
        self._config = recipe.config
        self._scorer: Callable[[], dict[str, float]] | None = None
        self._board: TensorBoardLog | None = None
        self._has_board = True  # Until TensorBoard turns out to be missing.
        self._failing: set[str] = set()  # What failed, and has not gone well since.
        self._recent: list[dict[str, float]] = []

    def on_batch(self, batch: int, numbers: dict[str, float], frames: np.ndarray | None) -> None:
        """Take in a batch.

        Args:
            numbers: the metrics of the batch; further ones are added.
            frames: uint8 [P, S, S, 3], pictures of the fixed points where they were rendered.
        """
        self._update_settings()
        small = None
        if frames is not None:
            seen = self._observer.observe(frames)
            small = seen.small
            found = {"change": seen.change, "diversity": seen.diversity}
            numbers |= {name: value for name, value in found.items() if value is not None}
        if self._is_due(self._config.score_every, batch):
            self._attempt("The score", batch, lambda: numbers.update(self._score()))
        self._metrics.append(batch, numbers)
        self._attempt("Keeping the numbers", batch, self._metrics.require_written)
        self._publish(batch, numbers, frames)
        self._sound_alarms(batch, numbers, small)
        words = self._recipe.loss_words
        losses = [f"{word} {numbers[name]:.3g}" for name, word in words.items() if name in numbers]
        pace = f"{numbers['pictures_per_s']:,.0f}/s"
        self._on_progress(batch, self._batches, "  ".join([*losses, pace]))

    def flush_metrics(self) -> None:
        """Write the metrics so far, since a killed run goes on from here."""
        self._metrics.flush()

    def on_event(self, batch: int, kind: str, text: str) -> None:
        """Take in an event of the run."""
        self._attempt("TensorBoard", batch, lambda: self._publish_event(batch, kind, text))

    def close(self) -> None:
        """Write everything that waits, and send the last notices."""
        self._attempt("Keeping the last numbers", self._recipe.batch, self._metrics.close)
        self._notices.close()
        self._report_failures(self._recipe.batch)
        if self._board is not None:
            self._attempt("TensorBoard", self._recipe.batch, self._board.close)

    def _update_settings(self) -> None:
        """Use the recipe's settings where they have changed."""
        if self._recipe.config != self._config:
            self._config = self._recipe.config
            self._alarms.configure(self._config)

    def _publish(self, batch: int, numbers: dict[str, float], frames: np.ndarray | None) -> None:
        """Write curves, histograms and the preview."""
        self._attempt("TensorBoard", batch, lambda: self._publish_curves(batch, numbers))
        if self._is_due(self._config.histograms_every, batch):
            self._attempt("The histograms", batch, lambda: self._publish_histograms(batch))
        last = batch == self._batches
        if frames is not None and (batch % self._config.preview_every == 0 or batch == 1 or last):
            self._attempt("The preview", batch, lambda: self._publish_preview(batch, frames))

    def _publish_curves(self, batch: int, numbers: dict[str, float]) -> None:
        board = self._open_board(batch)
        if board is not None:
            board.add_metrics(batch, numbers)

    def _publish_histograms(self, batch: int) -> None:
        device = next(self._recipe.rendered.parameters()).device
        z = self._fixed.representative(MEASURED, POINTS_SEED).to(device)
        measured = self._recipe.measured_networks(z)
        layers = {name: measure_layers(*measured[name]) for name in measured}
        append_histograms(self._workspace.histograms(self._run), batch, layers)
        if self._board is not None:
            self._board.add_histograms(batch, layers)

    def _publish_preview(self, batch: int, frames: np.ndarray) -> None:
        shown = self._fixed.show(frames)
        scale = max(1, PREVIEW_HEIGHT_PX // shown.shape[1])
        grid = arrange_grid(enlarge(shown, scale), gap_px=4)
        save_picture(grid, self._workspace.preview(self._run))
        if self._board is not None:
            self._board.add_frames(batch, grid)

    def _publish_event(self, batch: int, kind: str, text: str) -> None:
        board = self._open_board(batch + 1)
        if board is not None:
            board.add_event(batch, kind, text)

    def _sound_alarms(
        self, batch: int, numbers: dict[str, float], small: np.ndarray | None
    ) -> None:
        """Report alarms as events, and send them as notices."""
        alarms = self._alarms.check(batch, numbers, small)
        self._recent = [*self._recent[1 - FORECAST_EVERY :], numbers]
        if batch % FORECAST_EVERY == 0:
            alarms += self._check_disk(batch)
        for alarm in alarms:
            self._on_alarm(batch, "alarm", str(alarm))
            notice = {"run": self._run, "batch": batch, "name": alarm.name, "text": alarm.text}
            self._notices.send(
                notice, webhook=self._config.alarm_webhook, command=self._config.alarm_command
            )
        self._report_failures(batch)

    def _report_failures(self, batch: int) -> None:
        """Report what kept notices from their receivers, which would hear of nothing else."""
        for failure in self._notices.take_failures():
            self._on_alarm(batch, "alarm", failure)

    def _check_disk(self, batch: int) -> list[Alarm]:
        """The alarm about a disk that will be full before the last batch."""
        catalogue = open_catalogue(self._workspace.runs, self._run)
        forecast = forecast_growth(catalogue, self._recent, self._batches)
        if forecast is None:
            return []
        full_at = batch + (forecast.full_at - forecast.reached) * self._config.checkpoint_every
        return self._alarms.check_disk(batch, full_at, self._batches)

    def _score(self) -> dict[str, float]:
        """What the recipe measures of its generator."""
        if self._scorer is None:
            self._scorer = self._recipe.begin_scoring(self._data)
        return self._scorer()

    def _open_board(self, batch: int) -> TensorBoardLog | None:
        """The log for TensorBoard; None where that is not installed, which is logged once."""
        if self._board is None and self._has_board:
            try:
                self._board = TensorBoardLog(self._workspace.tensorboard(self._run), batch)
            except MissingTensorBoardError as error:
                self._has_board = False
                log.warning("%s: %s", self._run, error)
        return self._board

    def _attempt(self, what: str, batch: int, step: Callable[[], object]) -> None:
        """Call a step; one that fails is reported, once until it has gone well again."""
        try:
            step()
        except (*EXPECTED_ERRORS, OSError) as error:
            if what not in self._failing:
                self._failing.add(what)
                log.warning("%s: %s failed: %s", self._run, what, error)
                self._on_alarm(batch, "alarm", f"{what} failed: {error} Training goes on.")
        else:
            self._failing.discard(what)

    @staticmethod
    def _is_due(every: int, batch: int) -> bool:
        return every > 0 and batch % every == 0
