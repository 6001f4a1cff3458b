"""The dataset of a run, and the attribution that must stand beside the pictures of both."""

from __future__ import annotations

from studio.datasets.listing import list_datasets, open_dataset
from studio.datasets.prepared import PreparedDataset
from studio.runs.config import TrainingConfig
from studio.workspace.paths import Workspace


def dataset_of(workspace: Workspace, run: str) -> PreparedDataset | None:
    """The dataset that a run was trained on; None where none is known, or it is not there."""
    config_path = workspace.run_config(run)
    if not config_path.exists():
        return None
    dataset = TrainingConfig.read(config_path).dataset
    return (
        open_dataset(workspace, dataset, kind=None) if dataset in list_datasets(workspace) else None
    )


def attribution_of(workspace: Workspace, run: str) -> str:
    """The attribution of the dataset that a run was trained on; empty where none is known."""
    dataset = dataset_of(workspace, run)
    return dataset.manifest.attribution if dataset is not None else ""
