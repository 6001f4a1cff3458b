"""The datasets of a workspace, by name."""

from __future__ import annotations

from studio.datasets.prepared import PreparedDataset
from studio.workspace.errors import UnknownDatasetError
from studio.workspace.paths import Workspace


def list_datasets(workspace: Workspace) -> list[str]:
    """List the names of the prepared datasets, sorted."""
    return sorted(path.parent.name for path in workspace.datasets.glob("[!.]*/manifest.json"))


def open_dataset(workspace: Workspace, name: str) -> PreparedDataset:
    """Open a dataset by name.

    Raises:
        UnknownDatasetError: there is no dataset of that name.
        StudioError: it is damaged.
    """
    known = list_datasets(workspace)
    if name not in known:
        raise UnknownDatasetError(
            f"There is no dataset '{name}'. Known: {', '.join(known) or 'none yet'}. "
            "Make one: studio datasets add FOLDER --name NAME --image-size 64"
        )
    return PreparedDataset.open(workspace.dataset(name))
