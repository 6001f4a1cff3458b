"""Carrying out the plan of an import: files become checkpoints, one after another."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing

import torch
from torch import Tensor

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.plan import ImportPlan, PlannedFile
from checkpoints_index.importing.refusals import (
    ImportedRunError,
    ImportedStorageError,
    NotFiniteError,
    SkippedFile,
)
from checkpoints_index.index import CheckpointIndex
from checkpoints_index.run import CheckpointRun
from checkpoints_index.storage.catalogue import checkpoints_folder
from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.segments import list_segments

RECORD = "import.json"  # A file in a run's folder that says which import began it.


def open_import(
    index: CheckpointIndex, name: str, plan: ImportPlan, storage: str | None = None
) -> CheckpointRun:
    """The run that an import goes into: a new one, or the one that it began before.

    Args:
        index: where the run is, or is to be.
        name: its name.
        plan: what is imported.
        storage: "exact" or "visual", which is that of a new run if None.

    Raises:
        ImportedRunError: the run is there, and was not begun by an import of this generator.
        ImportedStorageError: it was, with another storage.
        CheckpointError: a new run cannot be created.
    """
    record = checkpoints_folder(index.folder, name).parent / RECORD
    if name not in index:
        record.parent.mkdir(parents=True, exist_ok=True)
        begun = {"folder": str(plan.folder), "generator": plan.spec.to_json()}
        create_whole(record, json.dumps(begun, indent=1).encode())
        return index.create(name, plan.spec, storage=storage or "visual")
    run = index[name]
    if not record.exists() or run.spec != plan.spec:
        what = "of another generator" if record.exists() else "that no import began"
        raise ImportedRunError(name, what)
    if storage is not None and storage != run.storage:
        raise ImportedStorageError(name, run.storage, storage)
    return run


def discard_if_empty(index: CheckpointIndex, name: str) -> bool:
    """Take away a run that an import began and put no checkpoint into, so that its name is free.

    Returns:
        Whether there was such a run.
    """
    folder = checkpoints_folder(index.folder, name)
    if not (folder.parent / RECORD).exists() or list_segments(folder):
        return False
    shutil.rmtree(folder.parent)
    return True


def import_files(
    run: CheckpointRun,
    plan: ImportPlan,
    finder: GeneratorFinder,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[int, list[SkippedFile]]:
    """Append the planned files that are not in the run yet, holding one in memory at a time.

    Args:
        run: what `open_import` opened; closed at the end.
        plan: what is imported.
        finder: the one that the plan was made with.
        on_progress: is told how many files were dealt with, of how many.

    Returns:
        The number of files that were appended, and those that turned out to be unusable.

    Raises:
        DiskFullError: there is no room; what was appended stays.
        RunLockedError: another process writes to the run.
    """
    appended, skipped = 0, []
    there = set(run.batches)
    with closing(run):
        for done, file in enumerate(plan.files):
            on_progress(done, len(plan.files))
            if file.batch in there:
                continue
            try:
                run.append(file.batch, _read(run, plan, finder, file, max(there, default=-1)))
            except UnusableFileError as reason:
                skipped.append(SkippedFile(file.path, reason))
                continue
            appended += 1
        run.flush()
    on_progress(len(plan.files), len(plan.files))
    return appended, skipped


def _read(
    run: CheckpointRun, plan: ImportPlan, finder: GeneratorFinder, file: PlannedFile, last: int
) -> dict[str, Tensor]:
    """The weights of one planned file.

    Args:
        last: the last batch of the run when the import began.

    Raises:
        UnusableFileError: they cannot be kept.
    """
    if file.batch < last:
        raise UnusableFileError(
            f"batch {file.batch} lies before {last}, which is in the run already"
        )
    found = finder.find(file.path, check=True)
    if found.spec != plan.spec:
        raise UnusableFileError("has changed since the import was planned")
    if run.storage == "visual":
        _refuse_if_not_finite(found.weights)
    return found.weights


def _refuse_if_not_finite(weights: Mapping[str, Tensor]) -> None:
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise NotFiniteError(name)
