"""Changes of a run's settings, and requests to pause, continue or save, while it trains.

A change is a row in the database. The run applies it before its next batch and records that batch,
so that a run that goes back to an earlier state repeats every change where it was made.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from studio.runs.config import NETWORKS, TrainingConfig, describe_unknown, named_in
from studio.runs.notices import check_notices
from studio.runs.settings import ALIASES, apply_settings
from studio.runs.status import read_config
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, training_job
from studio.workspace.paths import Workspace
from studio.workspace.trust import Named

PAUSE, CONTINUE, SAVE = REQUESTS = ("pause", "continue", "save")


@dataclass(frozen=True)
class Change:
    """A setting with a new value, or a request.

    Attributes:
        id: the number of the row; later changes have larger ones.
        name: the name of a setting, or one of REQUESTS.
        value, before: the new and the old value of the setting; None for a request.
        batch: the first batch with the change; None until the run has applied it.
        asked_at: seconds since 1970.
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
        """The change in words, such as `learning_rate_g: 0.0002 -> 1e-05`."""
        return f"{self.name}: {self.before} -> {self.value}"


def change_settings(workspace: Workspace, run: str, values: Mapping[str, Any]) -> list[str]:
    """Ask for other values of live settings.

    A run that trains applies them with its next batch, another one when it goes on.

    Args:
        values: by the names of settings; `learning_rate` sets those of G and D.

    Returns:
        A sentence for each setting.

    Raises:
        StudioError: no such run, no such setting, one that is fixed when a run begins, or a value
            that does not fit.
    """
    named = _resolve_names(values)
    current = settings_in_force(workspace, run)
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

    Args:
        request: one of REQUESTS.

    Raises:
        StudioError: the run is not training, or there is no such run.
    """
    read_config(workspace, run)
    if not _is_training(workspace, run):
        raise StudioError(
            f"Run '{run}' is not training, so it cannot {request}. Go on with it: "
            f"studio resume {run}"
        )
    _insert(workspace, run, request, None)


def list_changes(workspace: Workspace, run: str) -> list[Change]:
    """All changes and requests of a run, oldest first."""
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT id, run, name, value, before, batch, asked_at FROM changes WHERE run = ? "
            "ORDER BY id",
            (run,),
        ).fetchall()
    return [_from_row(dict(row)) for row in rows]


def settings_at(
    config: TrainingConfig, changes: Iterable[Change], batch: int | None
) -> TrainingConfig:
    """A run's settings after a batch.

    Args:
        config: the settings with which the run began.
        changes: those of the run, oldest first.
        batch: None for the settings with every change, applied or not.
    """
    values = {
        change.name: change.value
        for change in changes
        if change.name not in REQUESTS
        and (batch is None or (change.batch is not None and change.batch <= batch))
    }
    return dataclasses.replace(config, **values)


def settings_in_force(workspace: Workspace, run: str) -> TrainingConfig:
    """A run's settings with every change, whether the run has taken it up or will.

    Raises:
        StudioError: the run was not trained here.
        CheckpointError: there is no such run.
    """
    return settings_at(read_config(workspace, run), list_changes(workspace, run), None)


def named_by(workspace: Workspace, run: str) -> Iterator[Named]:
    """What the settings of a run name that runs code here or calls an address.

    Raises:
        StudioError: as `settings_in_force`.
    """
    yield from named_in(asdict(settings_in_force(workspace, run)), f"the settings of run '{run}'")


def record_change(
    workspace: Workspace, run: str, name: str, value: Any, before: Any, batch: int
) -> None:
    """Record a change that a run made by itself, with effect from a batch on."""
    _insert(workspace, run, name, value, before, batch)


def mark_applied(workspace: Workspace, change: Change, batch: int, before: Any) -> None:
    """Record the first batch with a change, and the value that it replaced."""
    with open_database(workspace.database) as db:
        db.execute(
            "UPDATE changes SET batch = ?, before = ? WHERE id = ?",
            (batch, json.dumps(before), change.id),
        )


def forget_changes(workspace: Workspace, run: str) -> None:
    """Delete the changes of a run that is gone, so that a new run of its name has none."""
    with open_database(workspace.database) as db:
        db.execute("DELETE FROM changes WHERE run = ?", (run,))


def _resolve_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names of live settings, with aliases replaced."""
    named = apply_settings({}, values)
    known = TrainingConfig.live_names()
    for name in named:
        if name in known:
            continue
        if name in NETWORKS:
            raise StudioError(
                f"{name} decides on the networks, which stay as they are. Train another run: "
                f"studio train DATASET --run NAME --set {name}=VALUE"
            )
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
