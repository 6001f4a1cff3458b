"""The status of runs: training, paused, finished, stopped, failed, interrupted, imported."""

from __future__ import annotations

from dataclasses import dataclass

from checkpoints_index.storage.catalogue import Catalogue, list_runs, open_catalogue
from studio.runs.config import TrainingConfig
from studio.runs.events import is_paused
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, JobRow, cancel_job, training_job
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class RunSummary:
    """One run at a glance.

    Attributes:
        status: training, paused, finished, stopped, failed, interrupted (its process ended without
            saying so) or imported.
        first_batch, last_batch: of its checkpoints; None where there are none.
        storage: exact or visual.
    """

    name: str
    status: str
    checkpoints: int
    first_batch: int | None
    last_batch: int | None
    size_bytes: int
    storage: str


def summarise_runs(workspace: Workspace) -> list[RunSummary]:
    """All runs, sorted by name. Neither weights are read nor torch is imported."""
    return [summarise_run(workspace, name) for name in list_runs(workspace.runs)]


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


def stop_run(workspace: Workspace, name: str) -> JobRow:
    """Ask a run that trains to stop; it saves its state first.

    Returns:
        The job that trains it.

    Raises:
        StudioError: the run is not training.
        CheckpointError: there is no such run.
    """
    open_catalogue(workspace.runs, name)
    job = training_job(workspace, name)
    if job is None or job.status not in ACTIVE:
        raise StudioError(f"Run '{name}' is not training, so there is nothing to stop.")
    cancel_job(workspace, job)
    return job


def read_config(workspace: Workspace, name: str) -> TrainingConfig:
    """The settings with which a run began.

    Raises:
        StudioError: the run was not trained here.
        CheckpointError: there is no such run.
    """
    open_catalogue(workspace.runs, name)
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
    wanted = TrainingConfig.read(config_path).batches
    return "finished" if catalogue.batches and catalogue.batches[-1] >= wanted else "stopped"
