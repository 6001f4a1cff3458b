"""Changes and requests of a person, followed by the run that they are for between two batches."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

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
from studio.runs.settings import BOTH_RATES, PLANNED, parse_plan, scale_plan
from studio.workspace.errors import StudioError
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
        """Apply what was asked for and what is planned, with effect from a batch on."""
        if self._has_changed():
            self._changes = list_changes(self._workspace, self._run)
        values: dict[str, Any] = {}
        for index, change in enumerate(self._changes):
            if change.name in REQUESTS:
                continue
            if change.batch is None:
                before = values.get(change.name, getattr(self.config, change.name))
                self._changes[index] = change = self._apply(change, batch, before)
            if change.batch == batch:
                values[change.name] = change.value
        if values:
            self.config = replace(self.config, **values)
        self._follow_plan(batch)
        return Instructions(self.config, self._new_requests())

    def go_back(self, from_batch: int, to_batch: int, factor: float) -> TrainingConfig:
        """Lower the learning rates after a run diverged, as a change made where it goes on.

        Changes that were made between the two batches hold from `to_batch` on too: repeated where
        they were made, they would undo the lower rates. So would rates that are planned for later,
        which are lowered as well.

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
        plan = self.config.planned_changes
        lowered = scale_plan(plan, BOTH_RATES, factor, after=to_batch)
        if parse_plan(lowered) != parse_plan(plan):
            record_change(self._workspace, self._run, PLANNED, lowered, plan, to_batch)
        self._changes = list_changes(self._workspace, self._run)
        return self.settings_after(to_batch)

    def _apply(self, change: Change, batch: int, before: Any) -> Change:
        """Write down that a change holds from a batch on."""
        mark_applied(self._workspace, change, batch, before)
        applied = replace(change, batch=batch, before=before)
        record_event(self._workspace, self._run, batch, "changed", applied.text)
        return applied

    def _follow_plan(self, batch: int) -> None:
        """Make the changes that are planned for a batch, unless somebody made another one there.

        They are written down as changes that somebody asked for are.
        """
        made = {change.name for change in self._changes if change.batch == batch}
        plan = parse_plan(self.config.planned_changes)
        due = {c.name: c.value for c in plan if c.batch == batch and c.name not in made}
        if not due:
            return
        try:
            config = replace(self.config, **due)
        except StudioError as error:
            text = f"what is planned for batch {batch:,} was not changed: {error}"
            record_event(self._workspace, self._run, batch, "alarm", text)
            return
        for name in due:
            before, value = getattr(self.config, name), getattr(config, name)
            if before != value:
                record_change(self._workspace, self._run, name, value, before, batch)
                text = f"{name}: {before} -> {value}, as planned"
                record_event(self._workspace, self._run, batch, "changed", text)
        self._changes = list_changes(self._workspace, self._run)
        self.config = config

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
