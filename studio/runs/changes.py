"""What a person changes about a run while it trains.

A wish is a row in the database. The run takes it up before its next batch and writes down with
which batch it took effect, so a run that goes back to an earlier state repeats every change where
it was made.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from studio.runs.config import TrainingConfig, describe_unknown
from studio.runs.notices import check_notices
from studio.runs.status import read_config
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, training_job
from studio.workspace.paths import Workspace

PAUSE, CONTINUE, SAVE = REQUESTS = ("pause", "continue", "save")
BOTH_RATES = ("learning_rate_g", "learning_rate_d")
ALIASES = {"learning_rate": BOTH_RATES}


@dataclass(frozen=True)
class Change:
    """A setting that was given another value, or a request without one.

    Attributes:
        name: of a setting, or one of REQUESTS.
        value, before: of the setting; None for a request.
        batch: from which on it holds; None as long as the run has not taken it up.
    """

    id: int
    run: str
    name: str
    value: Any
    before: Any
    batch: int | None
    asked_at: float

    @property
    def text(self) -> str:
        """Such as `learning_rate_g: 0.0002 -> 1e-05`."""
        return f"{self.name}: {self.before} -> {self.value}"


def change_settings(workspace: Workspace, run: str, values: Mapping[str, Any]) -> list[str]:
    """Ask for other values of live settings; `learning_rate` means those of G and D.

    A run that trains takes them up with its next batch, another one when it goes on.

    Returns:
        A sentence for each setting.

    Raises:
        StudioError: no such run, no such setting, one that is fixed when a run begins, or a value
            that does not fit.
    """
    named = _spell_out(values)
    config = read_config(workspace, run)
    current = settings_at(config, list_changes(workspace, run), None)
    changed = dataclasses.replace(current, **named)
    check_notices(changed.alarm_webhook, changed.alarm_command)
    for name in named:
        _insert(workspace, run, name, getattr(changed, name))
    when = "with its next batch" if _is_training(workspace, run) else "when it goes on"
    return [
        f"{name}: {getattr(current, name)} -> {getattr(changed, name)}, {when}." for name in named
    ]


def ask(workspace: Workspace, run: str, request: str) -> None:
    """Ask a run that trains to pause, to continue, or to save its state.

    Raises:
        StudioError: it is not training.
    """
    read_config(workspace, run)
    if not _is_training(workspace, run):
        raise StudioError(
            f"Run '{run}' is not training, so it cannot {request}. Go on with it: "
            f"studio resume {run}"
        )
    _insert(workspace, run, request, None)


def list_changes(workspace: Workspace, run: str) -> list[Change]:
    """All that was asked of a run, in order."""
    with open_database(workspace.database) as db:
        rows = db.execute("SELECT * FROM changes WHERE run = ? ORDER BY id", (run,)).fetchall()
    return [_from_row(dict(row)) for row in rows]


def settings_at(
    config: TrainingConfig, changes: Iterable[Change], batch: int | None
) -> TrainingConfig:
    """A run's settings after a batch; where none is given, with all that was ever asked."""
    values = {
        change.name: change.value
        for change in changes
        if change.name not in REQUESTS
        and (batch is None or (change.batch is not None and change.batch <= batch))
    }
    return dataclasses.replace(config, **values)


def record_change(
    workspace: Workspace, run: str, name: str, value: Any, before: Any, batch: int
) -> None:
    """Write down a change that a run made by itself."""
    _insert(workspace, run, name, value, before, batch)


def mark_applied(workspace: Workspace, change: Change, batch: int, before: Any) -> None:
    """Write down with which batch a change took effect, and what it replaced."""
    with open_database(workspace.database) as db:
        db.execute(
            "UPDATE changes SET batch = ?, before = ? WHERE id = ?",
            (batch, json.dumps(before), change.id),
        )


def forget_changes(workspace: Workspace, run: str) -> None:
    """Drop the changes of a run that is gone, so that a new one of its name begins without."""
    with open_database(workspace.database) as db:
        db.execute("DELETE FROM changes WHERE run = ?", (run,))


def _spell_out(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names of settings, each of which may change in a run."""
    named = {own: value for name, value in values.items() for own in ALIASES.get(name, (name,))}
    known = TrainingConfig.live_names()
    for name in named:
        if name in known:
            continue
        if name in TrainingConfig.names():
            raise StudioError(
                f"{name} is fixed when a run begins. Branch a new run off this one to change it: "
                "studio train --from RUN@BATCH"
            )
        raise StudioError(describe_unknown(name, [*known, *ALIASES]))
    return named


def _is_training(workspace: Workspace, run: str) -> bool:
    job = training_job(workspace, run)
    return job is not None and job.status in ACTIVE


def _from_row(row: dict[str, Any]) -> Change:
    values = {name: json.loads(row[name]) for name in ("value", "before")}
    return Change(**{**row, **values})


def _insert(
    workspace: Workspace,
    run: str,
    name: str,
    value: Any,
    before: Any = None,
    batch: int | None = None,
) -> None:
    with open_database(workspace.database) as db:
        db.execute(
            "INSERT INTO changes (run, name, value, before, batch, asked_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (run, name, json.dumps(value), json.dumps(before), batch, time.time()),
        )
