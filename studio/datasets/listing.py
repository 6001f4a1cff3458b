"""The datasets of a workspace, by name."""

from __future__ import annotations

from studio.datasets.prepared import PICTURES, PreparedDataset
from studio.workspace.errors import StudioError, UnknownDatasetError
from studio.workspace.paths import Workspace


def list_datasets(workspace: Workspace) -> list[str]:
    """List the names of the prepared datasets, sorted."""
    return sorted(path.parent.name for path in workspace.datasets.glob("[!.]*/manifest.json"))


def open_dataset(workspace: Workspace, name: str, kind: str | None = PICTURES) -> PreparedDataset:
    """Open a dataset by name.

    Args:
        kind: the kind that it has to be of; None for any.

    Raises:
        UnknownDatasetError: there is no dataset of that name.
        StudioError: it is damaged, or of another kind.
    """
    known = list_datasets(workspace)
    if name not in known:
        raise UnknownDatasetError(
            f"There is no dataset '{name}'. Known: {', '.join(known) or 'none yet'}. "
            "Make one: studio datasets add FOLDER --name NAME --image-size 64"
        )
    dataset = PreparedDataset.open(workspace.dataset(name))
    if kind is not None:
        require_kind(dataset, kind)
    return dataset


def require_kind(dataset: PreparedDataset, kind: str) -> None:
    """Refuse a dataset of another kind than is wanted.

    Raises:
        StudioError: the text says what it holds, and what there is for it.
    """
    manifest = dataset.manifest
    if manifest.kind == kind:
        return
    if manifest.kind == PICTURES:
        raise StudioError(
            f"Dataset '{manifest.name}' holds pictures, and {kind} are wanted here. Make one of "
            "fonts: studio datasets add-letters FOLDER --name NAME"
        )
    raise StudioError(
        f"Dataset '{manifest.name}' holds the {manifest.kind} of fonts, and {kind} are wanted "
        "here. Choose a dataset of pictures: studio datasets list. What learns from letters is the "
        "recipe letters."
    )
