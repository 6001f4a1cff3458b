"""Carrying out the plan of an import: files become checkpoints, one after another."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.plan import ImportPlan, PlannedFile
from checkpoints_index.importing.refusals import (
    ImportedRunError,
    ImportedStorageError,
    LateFileError,
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
    require_same(index, name, plan, storage)
    return index[name]


def require_same(
    index: CheckpointIndex, name: str, plan: ImportPlan, storage: str | None = None
) -> None:
    """Refuse to go on with a run by a plan that is not of its import; args as for `open_import`.

    Raises:
        ImportedRunError: no import began it, or one of another generator.
        ImportedStorageError: it has another storage.
    """
    run = index[name]
    require_begun(index, name)
    if difference := find_difference(run.spec, plan.spec):
        what = "of another generator: its {} is {} there and {} here".format(*difference)
        raise ImportedRunError(name, what, True)
    if storage is not None and storage != run.storage:
        raise ImportedStorageError(name, run.storage, storage)


def find_difference(there: GeneratorSpec, here: GeneratorSpec) -> tuple[str, Any, Any] | None:
    """The first thing in which two generators differ, and what each has; None where nothing does.

    Example:
        >>> find_difference(GeneratorSpec("dcgan", {"width": 1}), GeneratorSpec("dcgan"))
        ('width', 1, None)
    """
    both = [{**spec.options, **spec.to_json()} for spec in (there, here)]
    names = [name for name in (*both[0], *both[1]) if name != "options"]
    name = next((name for name in names if both[0].get(name) != both[1].get(name)), None)
    if name is None:
        return None
    values: list[Any] = [spec.get(name) for spec in both]
    if name == "layers":
        layers: list[tuple[Any, Any]] = list(zip_longest(values[0] or [], values[1] or []))
        name, values = next(
            (f"layer {i}", list(pair)) for i, pair in enumerate(layers) if pair[0] != pair[1]
        )
    return name, values[0], values[1]


def require_begun(index: CheckpointIndex, name: str) -> None:
    """Refuse a run that no import began.

    Raises:
        ImportedRunError: it is one.
    """
    if not (checkpoints_folder(index.folder, name).parent / RECORD).exists():
        raise ImportedRunError(name, "that no import began")


def begun_spec(index: CheckpointIndex, name: str) -> GeneratorSpec | None:
    """The generator of a run that an import began; None where there is no such run."""
    record = checkpoints_folder(index.folder, name).parent / RECORD
    return index[name].spec if name in index and record.exists() else None


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


def choose_new(
    plan: ImportPlan, there: Collection[int]
) -> tuple[list[PlannedFile], list[SkippedFile]]:
    """The planned files that are not in a run yet, and those of them that came too late for it.

    Args:
        plan: what is imported.
        there: the batches of the run.
    """
    last = max(there, default=-1)
    new = [file for file in plan.files if file.batch not in there]
    late = [SkippedFile(f.path, LateFileError(f.batch, last)) for f in new if f.batch < last]
    return [file for file in new if file.batch > last], late


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
    appended = 0
    files, skipped = choose_new(plan, set(run.batches))
    with closing(run):
        for done, file in enumerate(files, len(plan.files) - len(files)):
            on_progress(done, len(plan.files))
            try:
                run.append(file.batch, _read(run, plan, finder, file))
            except UnusableFileError as reason:
                skipped.append(SkippedFile(file.path, reason))
                continue
            appended += 1
        run.flush()
    on_progress(len(plan.files), len(plan.files))
    return appended, skipped


def _read(
    run: CheckpointRun, plan: ImportPlan, finder: GeneratorFinder, file: PlannedFile
) -> dict[str, Tensor]:
    """The weights of one planned file.

    Raises:
        UnusableFileError: they cannot be kept.
    """
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
