"""Changes and requests of a person, followed by the run that they are for between two batches."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from studio.runs.changes import (
    REQUESTS,
    Change,
    list_changes,
    mark_applied,
    record_change,
    settings_at,
)
from studio.runs.config import TrainingConfig
from studio.runs.events import record_event
from studio.runs.settings import BOTH_RATES
from studio.workspace.paths import Workspace

# File systems stamp the time of a change a few milliseconds coarse.
SAME_TICK_NS = 50_000_000


@dataclass(frozen=True)
class Instructions:
    """What holds for the next batch, and what was asked for since the last one.

    Attributes:
        config: the settings.
        requests: of REQUESTS, in the order in which they came.
        stop: whether to end the session.
    """

    config: TrainingConfig
    requests: tuple[str, ...] = ()
    stop: bool = False


class LiveControl:
    """Follows the changes of one run. The database is read only when its file has changed.

    Args:
        config: the settings with which the run began.
    """

    def __init__(self, workspace: Workspace, run: str, config: TrainingConfig) -> None:
        self._workspace, self._run, self._beginning = workspace, run, config
        self._seen_ns = 0
        self._changes = list_changes(workspace, run)
        self._answered = max((c.id for c in self._changes if c.name in REQUESTS), default=0)
        self.config = config

    def settings_after(self, batch: int) -> TrainingConfig:
        """Go on from a batch; the settings that were in force after it."""
        self.config = settings_at(self._beginning, self._changes, batch)
        return self.config

    def poll(self, batch: int) -> Instructions:
        """Apply what was asked for, with effect from a batch on."""
        if self._has_changed():
            self._changes = list_changes(self._workspace, self._run)
        for index, change in enumerate(self._changes):
            if change.name in REQUESTS:
                continue
            if change.batch is None:
                self._changes[index] = self._apply(change, batch)
            elif change.batch == batch:
                self.config = replace(self.config, **{change.name: change.value})
        return Instructions(self.config, self._new_requests())

    def go_back(self, from_batch: int, to_batch: int, factor: float) -> TrainingConfig:
        """Lower the learning rates after a run diverged, as a change made where it goes on.

        Changes that were made between the two batches hold from `to_batch` on too: repeated where
        they were made, they would undo the lower rates.

        Args:
            from_batch: the batch that diverged.
            to_batch: the batch that the run goes on from.
            factor: multiplies the learning rates.

        Returns:
            The settings to go on with.
        """
        for change in self._changes:
            if change.batch is not None and to_batch < change.batch <= from_batch:
                mark_applied(self._workspace, change, to_batch, change.before)
        for name in BOTH_RATES:
            before = getattr(self.config, name)
            record_change(self._workspace, self._run, name, before * factor, before, to_batch)
        self._changes = list_changes(self._workspace, self._run)
        return self.settings_after(to_batch)

    def _apply(self, change: Change, batch: int) -> Change:
        before = getattr(self.config, change.name)
        mark_applied(self._workspace, change, batch, before)
        self.config = replace(self.config, **{change.name: change.value})
        applied = replace(change, batch=batch, before=before)
        record_event(self._workspace, self._run, batch, "changed", applied.text)
        return applied

    def _new_requests(self) -> tuple[str, ...]:
        """Requests that came since the last call; those from before this session are void."""
        new = [c for c in self._changes if c.name in REQUESTS and c.id > self._answered]
        self._answered = max((change.id for change in new), default=self._answered)
        return tuple(change.name for change in new)

    def _has_changed(self) -> bool:
        """Whether the file of the database has changed since the last call."""
        changed_ns = self._workspace.database.stat().st_mtime_ns
        if changed_ns == self._seen_ns:
            return False
        settled = time.time_ns() - changed_ns > SAME_TICK_NS
        self._seen_ns = changed_ns if settled else 0
        return True
