"""Writes what people watch of a run: numbers, curves, histograms, previews, alarms."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch

from checkpoints_index.storage.catalogue import open_catalogue
from renderers.frames.frame_renderer import FrameRenderer
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import arrange_grid, enlarge
from renderers.progress import OnProgress
from studio.runs.forecast import forecast_growth
from studio.runs.metrics import MetricsLog
from studio.runs.notices import Notices
from studio.training.monitor.alarms import Alarm, Alarms
from studio.training.monitor.histograms import append_histograms, measure_layers
from studio.training.monitor.observations import Observer
from studio.training.monitor.sliced_wasserstein import SlicedWasserstein, mean_distance
from studio.training.monitor.tensorboard_log import MissingTensorBoardError, TensorBoardLog
from studio.training.recipes import Recipe
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace

PREVIEW_HEIGHT_PX = 160
SCORED = 256  # Pictures whose distance to as many real ones is measured.
MEASURED = 16  # Pictures in a batch for the histograms of activations.
FORECAST_EVERY = 100  # Batches between two checks of the disk.
POINTS_SEED = 20_000  # Seeds the latent points that only the watcher uses.
LOSS_WORDS = {"d_real": "d1", "d_fake": "d2", "g": "G"}  # The words beside the progress bar.

log = logging.getLogger(__name__)


class Watcher:
    """Watches one session of a run. Nothing here stops the training: what fails is an event, once.

    Args:
        recipe: the recipe that trains.
        reals: uint8 [count, S', S', 3], the prepared pictures.
        batches: the last batch of the run.
        on_alarm: called with each alarm as an event: batch, kind, text.
        on_progress: called after each batch.
    """

    def __init__(
        self,
        workspace: Workspace,
        run: str,
        recipe: Recipe,
        reals: np.ndarray,
        batches: int,
        on_alarm: Callable[[int, str, str], None],
        on_progress: OnProgress,
    ) -> None:
        self._workspace, self._run, self._recipe, self._reals = workspace, run, recipe, reals
        self._batches, self._on_alarm, self._on_progress = batches, on_alarm, on_progress
        self._metrics, self._notices = MetricsLog(workspace.metrics(run)), Notices(workspace)
        self._observer, self._alarms = Observer(), Alarms(recipe.config)
        self._config = recipe.config
        self._distance: SlicedWasserstein | None = None
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
            self._attempt("The score", batch, lambda: numbers.update(swd=self._score()))
        self._metrics.append(batch, numbers)
        self._attempt("Keeping the numbers", batch, self._metrics.require_written)
        self._publish(batch, numbers, frames)
        self._sound_alarms(batch, numbers, small)
        losses = [
            f"{word} {numbers[name]:.2f}" for name, word in LOSS_WORDS.items() if name in numbers
        ]
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
        z, pictures = self._make_inputs()
        layers = {
            "G": measure_layers(self._recipe.modules["G"], z),
            "D": measure_layers(self._recipe.modules["D"], pictures),
        }
        append_histograms(self._workspace.histograms(self._run), batch, layers)
        if self._board is not None:
            self._board.add_histograms(batch, layers)

    def _publish_preview(self, batch: int, frames: np.ndarray) -> None:
        scale = max(1, PREVIEW_HEIGHT_PX // frames.shape[1])
        grid = arrange_grid(enlarge(frames, scale), gap_px=4)
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

    def _score(self) -> float:
        """The sliced Wasserstein distance of generated pictures to real ones."""
        if self._distance is None:
            size, count = self._config.image_size, min(SCORED, len(self._reals))
            chosen = np.linspace(0, len(self._reals) - 1, count).astype(int)
            margin = (self._reals.shape[1] - size) // 2
            cut = slice(margin, margin + size)
            self._distance = SlicedWasserstein(np.asarray(self._reals[chosen])[:, cut, cut])
        z = self._draw(self._distance.shape[0])
        return mean_distance(self._distance(FrameRenderer().render(self._recipe.rendered, z)))

    def _make_inputs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs for histograms of activations: z for G, and G_ema's pictures of it for D."""
        parameter = next(self._recipe.rendered.parameters())
        z = self._draw(MEASURED).to(parameter.device)
        with torch.no_grad():
            return z, self._recipe.rendered(z)

    def _draw(self, count: int) -> torch.Tensor:
        """Latent points, the same each time, without touching the random state of the training."""
        rng = torch.Generator().manual_seed(POINTS_SEED)
        return torch.randn(count, self._config.z_dim, generator=rng)

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
