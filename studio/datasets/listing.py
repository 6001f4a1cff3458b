"""The datasets of a workspace."""

from __future__ import annotations

from studio.datasets.prepared import PreparedDataset
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace


def list_datasets(workspace: Workspace) -> list[str]:
    """Names of the prepared datasets, sorted."""
    return sorted(path.parent.name for path in workspace.datasets.glob("[!.]*/manifest.json"))


def open_dataset(workspace: Workspace, name: str) -> PreparedDataset:
    """A dataset by name; an unknown name is an error that lists the known ones."""
    known = list_datasets(workspace)
    if name not in known:
        raise StudioError(
            f"There is no dataset '{name}'. Known: {', '.join(known) or 'none yet'}. "
            "Make one: studio datasets add FOLDER --name NAME --image-size 64"
        )
    return PreparedDataset.open(workspace.dataset(name))
