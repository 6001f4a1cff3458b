"""Catalogues and metrics of runs, which tabs ask for every other second; only news is read."""

from __future__ import annotations

import threading
from typing import Any

from checkpoints_index.storage.catalogue import (
    DESCRIPTION,
    Catalogue,
    checkpoints_folder,
    open_catalogue,
)
from studio.runs.forecast import Forecast
from studio.runs.metrics import MetricsHistory
from studio.runs.status import RunSummary, summarise
from studio.runs.storage_report import StorageReport, forecast_training, report_storage
from studio.workspace.paths import Workspace


class RunCache:
    """What is known of the runs of a workspace; shared by all browsers, which take turns."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._catalogues: dict[str, tuple[int | None, Catalogue]] = {}
        self._metrics: dict[str, MetricsHistory] = {}
        self._turn = threading.RLock()

    def summary(self, run: str) -> RunSummary:
        """One run at a glance.

        Raises:
            CheckpointError: there is no such run, or it cannot be opened.
        """
        with self._turn:
            return summarise(self.workspace, self._catalogue(run))

    def metrics(self, run: str) -> list[dict[str, Any]]:
        """The metrics of all batches so far, ascending; a copy."""
        with self._turn:
            if run not in self._metrics:
                self._metrics[run] = MetricsHistory(self.workspace.metrics(run))
            self._metrics[run].refresh()
            return list(self._metrics[run].entries)

    def forecast(self, run: str) -> Forecast | None:
        """How a run will grow that is training now; None for others.

        Raises:
            CheckpointError: see `summary`.
        """
        with self._turn:
            return forecast_training(self.workspace, self._catalogue(run), self.metrics(run))

    def storage_report(self, run: str) -> StorageReport:
        """What is kept of a run; see `report_storage`.

        Raises:
            CheckpointError: see `summary`.
        """
        with self._turn:
            catalogue, metrics = self._catalogue(run), self.metrics(run)
            return report_storage(self.workspace, catalogue, metrics)

    def _catalogue(self, run: str) -> Catalogue:
        """Opened once, and anew if another run has taken the name."""
        description = checkpoints_folder(self.workspace.runs, run) / DESCRIPTION
        identity = description.stat().st_ino if description.exists() else None
        known = self._catalogues.get(run)
        if known is None or known[0] != identity:
            known = self._catalogues[run] = identity, open_catalogue(self.workspace.runs, run)
        else:
            known[1].refresh()
        return known[1]
