"""The status of runs, from training to finished, imported and damaged; see `RunSummary`."""

from __future__ import annotations

from dataclasses import dataclass

from checkpoints_index.storage.catalogue import Catalogue, list_runs, open_catalogue, read_spec
from studio.runs.config import TrainingConfig
from studio.runs.events import is_paused, list_events
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import ACTIVE, JobRow, training_job
from studio.workspace.paths import Workspace
from studio.workspace.queue.requests import stop_job

AT_WORK = ("training", "paused")  # Statuses of runs whose process is there.


@dataclass(frozen=True)
class RunSummary:
    """One run at a glance.

    Attributes:
        status: training, paused, finished, stopped, failed, interrupted (its process ended without
            saying so), imported, or damaged: its run.toml is not what was written, or it cannot be
            opened at all.
        first_batch, last_batch: of its checkpoints; None where there are none.
        storage: exact or visual; empty where the run cannot be opened.
        reason: why it cannot be, and what to do; else empty.
    """

    name: str
    status: str
    checkpoints: int
    first_batch: int | None
    last_batch: int | None
    size_bytes: int
    storage: str
    reason: str = ""


def summarise_runs(workspace: Workspace) -> list[RunSummary]:
    """All runs, sorted by name; one that cannot be opened hides no other.

    Neither weights are read nor torch is imported.
    """
    return [_summarise_as_far_as_can_be(workspace, name) for name in list_runs(workspace.runs)]


def _summarise_as_far_as_can_be(workspace: Workspace, name: str) -> RunSummary:
    try:
        return summarise_run(workspace, name)
    except EXPECTED_ERRORS as error:
        return RunSummary(name, "damaged", 0, None, None, 0, "", explain(error))


def summarise_run(workspace: Workspace, name: str) -> RunSummary:
    """One run by name.

    Raises:
        CheckpointError: there is no such run; the text lists the known ones.
    """
    return summarise(workspace, open_catalogue(workspace.runs, name))


def summarise(workspace: Workspace, catalogue: Catalogue) -> RunSummary:
    """The run whose catalogue is open."""
    batches = catalogue.batches
    return RunSummary(
        catalogue.run,
        run_status(workspace, catalogue),
        len(batches),
        batches[0] if batches else None,
        batches[-1] if batches else None,
        catalogue.size_bytes,
        catalogue.storage,
    )


def has_begun(workspace: Workspace, name: str) -> bool:
    """Whether a run has a checkpoint, or a session of it got as far as to fail.

    Raises:
        CheckpointError: there is no such run.
    """
    events = list_events(workspace, name)
    return bool(open_catalogue(workspace.runs, name).batches) or any(
        event.kind == "failed" for event in events
    )


def stop_run(workspace: Workspace, name: str) -> JobRow:
    """Ask a run that trains to stop; it saves its state first.

    Returns:
        The job that trains it.

    Raises:
        StudioError: the run is not training.
        CheckpointError: there is no such run.
    """
    read_spec(workspace.runs, name)
    job = training_job(workspace, name)
    if job is None or job.status not in ACTIVE:
        raise StudioError(f"Run '{name}' is not training, so there is nothing to stop.")
    stop_job(workspace, job, "done")
    return job


def read_config(workspace: Workspace, name: str) -> TrainingConfig:
    """The settings with which a run began.

    Raises:
        StudioError: the run was not trained here.
        CheckpointError: there is no such run.
    """
    read_spec(workspace.runs, name)
    if not workspace.run_config(name).exists():
        raise StudioError(
            f"Run '{name}' has no run.toml, so it cannot be trained on. Start one: studio train"
        )
    return TrainingConfig.read(workspace.run_config(name))


def run_status(workspace: Workspace, catalogue: Catalogue) -> str:
    """The status of a run; see `RunSummary`."""
    job = training_job(workspace, catalogue.run)
    if job is not None and job.status in ACTIVE:
        return "paused" if is_paused(workspace, catalogue.run) else "training"
    status = resting_status(workspace, catalogue)
    ended_badly = job is not None and job.status in ("failed", "interrupted")
    return job.status if job is not None and ended_badly and status == "stopped" else status


def resting_status(workspace: Workspace, catalogue: Catalogue) -> str:
    """The status of a run that nobody trains and whose last session ended well."""
    config_path = workspace.run_config(catalogue.run)
    if not config_path.exists():
        return "imported"
    try:
        wanted = TrainingConfig.read(config_path).batches
    except StudioError:  # Whatever begins to work with it says what is wrong with it.
        return "damaged"
    return "finished" if catalogue.batches and catalogue.batches[-1] >= wanted else "stopped"
