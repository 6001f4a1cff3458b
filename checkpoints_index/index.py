"""The index of all runs below one folder: name -> run."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from checkpoints_index.errors import CheckpointError, RunExistsError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.run import CheckpointRun
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import (
    STORAGES,
    checkpoints_folder,
    holds_run,
    list_runs,
    open_catalogue,
    write_description,
)
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.storage.trusted_classes import trust_class


class CheckpointIndex(Mapping[str, CheckpointRun]):
    """The runs of a folder by name, sorted; each keeps its checkpoints in `NAME/checkpoints`.

    It is a mapping of what lies on the disk at the moment: looking up a name opens the run, and
    `values()` and `items()` open one after another. Two indexes are equal where their folders are.

    Args:
        folder: where the runs are, or will be; made if it is not there.

    Example:
        >>> import tempfile
        >>> index = CheckpointIndex(tempfile.mkdtemp())
        >>> spec = GeneratorSpec("dcgan", {"z_dim": 4, "image_size": 32, "width": 0.03})
        >>> with index.create("city", spec, storage="exact") as run:
        ...     run.append(1, spec.build().state_dict())
        ...     run.flush()
        >>> list(index), "town" in index, index["city"].batches
        (['city'], False, [1])
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def create(
        self,
        name: str,
        spec: GeneratorSpec,
        storage: str = "visual",
        error_bound: ErrorBound | None = None,
    ) -> CheckpointRun:
        """Create a run without checkpoints, and open it.

        Args:
            name: letters, digits, dots, dashes and underscores, at most 100.
            spec: what rebuilds the generator; its class is trusted in this folder from now on.
            storage: "exact" gives back every bit; "visual" keeps what can be seen, far smaller.
            error_bound: how far pictures may differ under "visual"; `ErrorBound()` if None.

        Raises:
            RunExistsError: there is a run of that name.
            RunNameError: the name could not be that of a folder.
            CheckpointError: there is no such storage.
        """
        if storage not in STORAGES:
            raise CheckpointError(f"Storage '{storage}' is not known: {' or '.join(STORAGES)}.")
        folder = checkpoints_folder(self.folder, name)
        if holds_run(folder):
            raise RunExistsError(name)
        folder.mkdir(parents=True, exist_ok=True)
        bound = None if storage == "exact" else error_bound or ErrorBound()
        if spec.trusted:
            trust_class(self.folder, spec.architecture)
        run_format = segments.PREDICTING_FORMAT if bound is None else segments.TRACKING_FORMAT
        write_description(folder, spec, storage, bound, secrets.token_hex(8), run_format)
        return CheckpointRun(open_catalogue(self.folder, name))

    def __getitem__(self, name: str) -> CheckpointRun:
        """Open a run.

        Raises:
            UnknownRunError: there is none of that name; it lists those that there are.
            RunNameError: the name could not be that of a run.
            DamagedDescriptionError: its description is missing or damaged.
        """
        return CheckpointRun(open_catalogue(self.folder, name))

    def __contains__(self, name: object) -> bool:
        return name in list_runs(self.folder)

    def __iter__(self) -> Iterator[str]:
        return iter(list_runs(self.folder))

    def __len__(self) -> int:
        return len(list_runs(self.folder))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CheckpointIndex):
            return NotImplemented
        return self.folder.absolute() == other.folder.absolute()

    def __hash__(self) -> int:
        return hash(self.folder.absolute())

    def __repr__(self) -> str:
        return f"CheckpointIndex({str(self.folder)!r})"
