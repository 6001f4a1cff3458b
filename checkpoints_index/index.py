"""All runs below one folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.run import CheckpointRun
from checkpoints_index.storage.catalogue import (
    DESCRIPTION,
    STORAGES,
    checkpoints_folder,
    list_runs,
    open_catalogue,
    write_description,
)
from checkpoints_index.storage.error_bound import ErrorBound


class CheckpointIndex:
    """The runs of a workspace by name; each keeps its checkpoints in `NAME/checkpoints`."""

    def __init__(self, folder: str | Path) -> None:
        """Open the index in a folder, which is made if it is not there."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def create(
        self,
        name: str,
        spec: GeneratorSpec,
        storage: str = "visual",
        error_bound: ErrorBound | None = None,
    ) -> CheckpointRun:
        """A new, empty run.

        Args:
            storage: "exact" gives back every bit; "visual" keeps what can be seen, far smaller.
            error_bound: how far pictures may differ under "visual"; the usual one by default.

        Raises:
            CheckpointError: there is such a run already, or the name or storage cannot be.
        """
        if storage not in STORAGES:
            raise CheckpointError(f"Storage '{storage}' is not known: {' or '.join(STORAGES)}.")
        folder = checkpoints_folder(self.folder, name)
        if (folder / DESCRIPTION).exists():
            raise CheckpointError(f"Run '{name}' exists already. Choose another name, or open it.")
        folder.mkdir(parents=True, exist_ok=True)
        kept = None if storage == "exact" else error_bound or ErrorBound()
        write_description(folder, spec, storage, kept)
        return CheckpointRun(open_catalogue(self.folder, name))

    def __getitem__(self, name: str) -> CheckpointRun:
        """An existing run; an unknown name is an error that lists the known ones."""
        return CheckpointRun(open_catalogue(self.folder, name))

    def __contains__(self, name: object) -> bool:
        return name in list_runs(self.folder)

    def __iter__(self) -> Iterator[str]:
        return iter(list_runs(self.folder))

    def __len__(self) -> int:
        return len(list_runs(self.folder))
