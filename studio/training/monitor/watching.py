"""What is read from a run while it trains: numbers, curves, histograms, previews, alarms."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch

from checkpoints_index.storage.catalogue import open_catalogue
from renderers.frames.frame_renderer import FrameRenderer
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import arrange_grid, enlarge
from studio.runs.forecast import forecast_growth
from studio.runs.metrics import MetricsLog
from studio.runs.notices import Notices
from studio.training.monitor.alarms import Alarm, Alarms
from studio.training.monitor.distance import SlicedWasserstein, mean_distance
from studio.training.monitor.histograms import append_histograms, measure_layers
from studio.training.monitor.observations import Observer
from studio.training.monitor.tensorboard_log import TensorBoardLog
from studio.training.recipes import Recipe
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.progress import OnProgress

PREVIEW_HEIGHT_PX = 160
SCORED = 256  # pictures whose distance to as many real ones is measured
LOOKED_INTO = 16  # pictures that histograms of activations are of
FORECAST_EVERY = 100  # batches
LOOKS_SEED = 20_000  # of the latent points that only these looks use
SHOWN = {"d_real": "d1", "d_fake": "d2", "g": "G"}  # beside the progress

log = logging.getLogger(__name__)


class Watcher:
    """Watches one sitting of a run. Nothing here stops the training: what fails is logged.

    Args:
        recipe: that trains.
        reals: uint8 [count, S', S', 3], the prepared pictures.
        batches: that the run is trained to.
        tell: told each alarm as an event: batch, kind, text.
        on_progress: told each batch.
    """

    def __init__(
        self,
        workspace: Workspace,
        run: str,
        recipe: Recipe,
        reals: np.ndarray,
        batches: int,
        tell: Callable[[int, str, str], None],
        on_progress: OnProgress,
    ) -> None:
        self._workspace, self._run, self._recipe, self._reals = workspace, run, recipe, reals
        self._batches, self._tell, self._on_progress = batches, tell, on_progress
        self._metrics, self._notices = MetricsLog(workspace.metrics(run)), Notices()
        self._observer, self._alarms = Observer(), Alarms(recipe.config)
        self._config = recipe.config
        self._distance: SlicedWasserstein | None = None
        self._board: TensorBoardLog | None = None
        self._recent: list[dict[str, float]] = []

    def look(self, batch: int, numbers: dict[str, float], frames: np.ndarray | None) -> None:
        """Take in a batch; see `engine.Surroundings`."""
        self._take_settings()
        small = None
        if frames is not None:
            seen = self._observer.look(frames)
            small = seen.small
            found = {"change": seen.change, "diversity": seen.diversity}
            numbers |= {name: value for name, value in found.items() if value is not None}
        if self._is_due(self._config.score_every, batch):
            self._quietly(lambda: numbers.update(swd=self._score()))
        self._metrics.append(batch, numbers)
        self._quietly(lambda: self._show(batch, numbers, frames))
        self._sound(batch, numbers, small)
        losses = [f"{word} {numbers[name]:.2f}" for name, word in SHOWN.items() if name in numbers]
        pace = f"{numbers['pictures_per_s']:,.0f}/s"
        self._on_progress(batch, self._batches, "  ".join([*losses, pace]))

    def settle(self) -> None:
        """Write what was taken in so far: a killed run goes on from here."""
        self._metrics.flush()

    def note(self, batch: int, kind: str, text: str) -> None:
        """Take in an event."""
        self._quietly(lambda: self._open_board(batch + 1).add_event(batch, kind, text))

    def close(self) -> None:
        self._metrics.close()
        self._notices.close()
        if self._board is not None:
            self._quietly(self._board.close)

    def _take_settings(self) -> None:
        if self._recipe.config != self._config:
            self._config = self._recipe.config
            self._alarms.configure(self._config)

    def _show(self, batch: int, numbers: dict[str, float], frames: np.ndarray | None) -> None:
        """Curves, histograms and the preview."""
        board = self._open_board(batch)
        board.add_metrics(batch, numbers)
        if self._is_due(self._config.histograms_every, batch):
            z, pictures = self._inputs()
            layers = {
                "G": measure_layers(self._recipe.modules["G"], z),
                "D": measure_layers(self._recipe.modules["D"], pictures),
            }
            append_histograms(self._workspace.histograms(self._run), batch, layers)
            board.add_histograms(batch, layers)
        last = batch == self._batches
        if frames is not None and (batch % self._config.preview_every == 0 or batch == 1 or last):
            scale = max(1, PREVIEW_HEIGHT_PX // frames.shape[1])
            grid = arrange_grid(enlarge(frames, scale), gap_px=4)
            save_picture(grid, self._workspace.preview(self._run))
            board.add_frames(batch, grid)

    def _sound(self, batch: int, numbers: dict[str, float], small: np.ndarray | None) -> None:
        """Tell what goes wrong to the events, and to the world outside."""
        alarms = self._alarms.look(batch, numbers, small)
        self._recent = [*self._recent[1 - FORECAST_EVERY :], numbers]
        if batch % FORECAST_EVERY == 0:
            alarms += self._look_at_disk(batch)
        for alarm in alarms:
            self._tell(batch, "alarm", str(alarm))
            notice = {"run": self._run, "batch": batch, "name": alarm.name, "text": alarm.text}
            self._notices.send(
                notice, webhook=self._config.alarm_webhook, command=self._config.alarm_command
            )

    def _look_at_disk(self, batch: int) -> list[Alarm]:
        catalogue = open_catalogue(self._workspace.runs, self._run)
        forecast = forecast_growth(catalogue, self._recent, self._batches)
        if forecast is None:
            return []
        full_at = batch + (forecast.full_at - forecast.reached) * self._config.checkpoint_every
        return self._alarms.look_at_disk(batch, full_at, self._batches)

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

    def _inputs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What the layers are looked at with: z for G, and what G_ema makes of it for D."""
        parameter = next(self._recipe.rendered.parameters())
        z = self._draw(LOOKED_INTO).to(parameter.device)
        with torch.no_grad():
            return z, self._recipe.rendered(z)

    def _draw(self, count: int) -> torch.Tensor:
        """Latent points, the same each time, that are drawn beside the training."""
        rng = torch.Generator().manual_seed(LOOKS_SEED)
        return torch.randn(count, self._config.z_dim, generator=rng)

    def _open_board(self, batch: int) -> TensorBoardLog:
        if self._board is None:
            self._board = TensorBoardLog(self._workspace.tensorboard(self._run), batch)
        return self._board

    def _quietly(self, step: Callable[[], object]) -> None:
        """Do something for those who watch; where it fails, the training goes on."""
        try:
            step()
        except (*EXPECTED_ERRORS, OSError) as error:
            log.warning("%s: %s", self._run, error)

    @staticmethod
    def _is_due(every: int, batch: int) -> bool:
        return every > 0 and batch % every == 0
