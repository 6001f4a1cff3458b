"""Alarms: what goes wrong in a run, seen in the numbers of its batches and its pictures."""

from __future__ import annotations

import numpy as np

from studio.runs.config import TrainingConfig
from studio.training.monitor.alarms.alarm import Alarm, Detector, Metrics
from studio.training.monitor.alarms.loss_alarms import DWins, GRunsAway, reference_losses
from studio.training.monitor.alarms.picture_alarms import ModeCollapse, NoProgress
from studio.training.monitor.alarms.resource_alarms import DiskFull, Slower
from studio.training.monitor.alarms.swings import Flopping

__all__ = ["Alarm", "Alarms"]


class Alarms:
    """Looks at each batch of a run for everything that goes wrong.

    An alarm sounds once, and again only when its cause had gone. Nothing is kept on disk: after a
    resume each detector gathers its past anew, and says nothing before it has.

    Args:
        config: the settings in force.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self._disk = DiskFull()
        self._d_wins, self._no_progress, self._slower = DWins(config), NoProgress(config), Slower()
        self._others: list[Detector] = [GRunsAway(), ModeCollapse(), Flopping()]

    def configure(self, config: TrainingConfig) -> None:
        """Go on with settings that were changed.

        The pace begins anew: with more updates of D a batch rightly takes longer.
        """
        self._d_wins.references = reference_losses(config)
        self._no_progress.batches = config.progress_batches
        self._slower = Slower()

    def look(self, batch: int, metrics: Metrics, small: np.ndarray | None = None) -> list[Alarm]:
        """The alarms that a batch sets off.

        Args:
            metrics: the numbers of the batch by the names in `metrics.jsonl`; what is not there
                is not looked at.
            small: float32 [P, 16, 16, 3] in 0..255, the fixed points' pictures of this batch
                (`Observation.small`); None where none were drawn.
        """
        detectors: list[Detector] = [self._d_wins, self._no_progress, self._slower, *self._others]
        said = [(detector.name, detector.look(batch, metrics, small)) for detector in detectors]
        return [Alarm(batch, name, text) for name, text in said if text is not None]

    def look_at_disk(self, batch: int, full_at: int, wanted: int) -> list[Alarm]:
        """The alarm that a forecast sets off.

        Args:
            full_at: the first batch that there is no room for.
            wanted: the last batch of the run.
        """
        text = self._disk.look_at_disk(full_at, wanted)
        return [] if text is None else [Alarm(batch, self._disk.name, text)]
