"""All alarms of a run together: what goes wrong, seen in the numbers and pictures of batches."""

from __future__ import annotations

import numpy as np

from studio.runs.config import TrainingConfig
from studio.training.monitor.alarms.alarm import Alarm, Detector, Metrics
from studio.training.monitor.alarms.loss_alarms import (
    DWinsAlarm,
    OutOfRangeAlarm,
    RunawayLossAlarm,
    reference_losses,
)
from studio.training.monitor.alarms.oscillation_alarm import OscillationAlarm
from studio.training.monitor.alarms.picture_alarms import ModeCollapseAlarm, NoProgressAlarm
from studio.training.monitor.alarms.resource_alarms import DiskSpaceAlarm, SpeedAlarm
from studio.training.recipes import find_recipe
from studio.training.recipes.recipe import SILENCEABLE

__all__ = ["Alarm", "Alarms"]


class Alarms:
    """Checks each batch of a run for everything that goes wrong.

    An alarm sounds once, and again only after its cause had gone. Nothing is kept on disk: after a
    resume each detector collects its history anew, and is silent until it has enough. Those that
    make no sense for the recipe are silent by its own word.

    Args:
        config: the settings in force.
    """

    def __init__(self, config: TrainingConfig) -> None:
        recipe = find_recipe(config.recipe)
        assert recipe.silent_alarms <= set(SILENCEABLE), "a recipe silences alarms that there are"
        self._silent = recipe.silent_alarms
        self._disk, self._speed = DiskSpaceAlarm(), SpeedAlarm()
        self._d_wins, self._no_progress = DWinsAlarm(config), NoProgressAlarm(config)
        self._out_of_range = OutOfRangeAlarm(recipe.limits(config))
        self._others: list[Detector] = [ModeCollapseAlarm(), OscillationAlarm()]
        if recipe.watched_loss is not None:
            self._others.insert(0, RunawayLossAlarm(recipe.watched_loss))

    def configure(self, config: TrainingConfig) -> None:
        """Use changed settings.

        The speed is measured anew: with more updates of D a batch rightly takes longer.
        """
        self._d_wins.references = reference_losses(config)
        self._no_progress.batches = config.progress_batches
        self._speed = SpeedAlarm()
        self._out_of_range.limits = find_recipe(config.recipe).limits(config)

    def check(self, batch: int, metrics: Metrics, small: np.ndarray | None = None) -> list[Alarm]:
        """The alarms that a batch sets off.

        Args:
            metrics: the numbers of the batch by their names in `metrics.jsonl`; a detector skips a
                batch that lacks its numbers.
            small: float32 [P, 16, 16, 3] in 0..255, this batch's pictures of the fixed points
                (`Observation.small`); None where none were rendered.
        """
        detectors: list[Detector] = [
            *(self._d_wins, self._out_of_range, self._no_progress, self._speed),
            *self._others,
        ]
        found = [
            (detector.name, detector.check(batch, metrics, small))
            for detector in detectors
            if detector.name not in self._silent
        ]
        return [Alarm(batch, name, text) for name, text in found if text is not None]

    def check_disk(self, batch: int, full_at: int, wanted: int) -> list[Alarm]:
        """The alarm that a forecast sets off.

        Args:
            full_at: the first batch whose checkpoint has no room.
            wanted: the last batch of the run.
        """
        text = self._disk.check_disk(full_at, wanted)
        return [] if text is None else [Alarm(batch, self._disk.name, text)]
