"""The attribution that must stand beside the pictures of a run, from its dataset."""

from __future__ import annotations

from studio.datasets.listing import list_datasets, open_dataset
from studio.runs.config import TrainingConfig
from studio.workspace.paths import Workspace


def attribution_of(workspace: Workspace, run: str) -> str:
    """The attribution of the dataset that a run was trained on; empty where none is known."""
    config_path = workspace.run_config(run)
    if not config_path.exists():
        return ""
    dataset = TrainingConfig.read(config_path).dataset
    if dataset not in list_datasets(workspace):
        return ""
    return open_dataset(workspace, dataset).manifest.attribution
