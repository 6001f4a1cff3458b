"""Importing: checkpoints that a person already has, as files, become a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkpoints_index import CheckpointIndex
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.plan import ImportPlan, plan_import
from checkpoints_index.importing.refusals import NothingToImportError, SkippedFile
from checkpoints_index.importing.transfer import discard_if_empty, import_files, open_import
from latent.points import sample_points
from studio.runs.config import TrainingConfig
from studio.runs.pins import forget_pins
from studio.specimens.points import FIXED, forget_points, keep_points
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter


@dataclass(frozen=True)
class ImportRequest:
    """Which files to import and how to read them.

    Attributes:
        source: a folder, or one file.
        generator: `package.module:Class` or a name; None: to be recognised.
        options: options of that generator.
        pattern: a regular expression whose group is the batch in a file's name; None: to be found.
    """

    source: Path
    generator: str | None
    options: dict[str, Any]
    pattern: str | None


@dataclass(frozen=True)
class ImportOutcome:
    """What an import did.

    Attributes:
        plan: which files it meant to import.
        appended: how many checkpoints it added to the run.
        skipped: files that were left out, each with the reason.
    """

    plan: ImportPlan
    appended: int
    skipped: list[SkippedFile]


def inspect_files(request: ImportRequest, reporter: Reporter) -> tuple[ImportPlan, GeneratorFinder]:
    """Plan an import by looking into the files; nothing is written.

    Raises:
        CheckpointError: there is nothing to import, or a person has to say how to read the files.
    """
    finder = GeneratorFinder(request.generator, request.options)
    with reporter.task("Looking into files") as on_progress:
        return plan_import(request.source, finder, request.pattern, on_progress), finder


def import_run(
    workspace: Workspace, run: str, request: ImportRequest, storage: str | None, reporter: Reporter
) -> ImportOutcome:
    """Import files as a run, or go on with an import that was interrupted.

    The run is given fixed latent points, as training would give them.

    Args:
        run: name of the run.
        storage: `exact` or `visual`; None: what the run has, or the default.

    Raises:
        CheckpointError: as `inspect_files`, or the run exists and has other checkpoints.
    """
    workspace.run(run)
    plan, finder = inspect_files(request, reporter)
    index = CheckpointIndex(workspace.runs)
    is_new = run not in index
    if is_new:
        points = sample_points(0, range(TrainingConfig.fixed_points), plan.spec.z_dim)
        forget_points(workspace, run)
        forget_pins(workspace, run)
        keep_points(workspace, run, points, origin=FIXED)
    try:
        opened = open_import(index, run, plan, storage)
        with reporter.task("Importing checkpoints") as on_progress:
            appended, skipped = import_files(opened, plan, finder, on_progress)
    finally:
        # A failed import must not hold the name of a run that has no checkpoint.
        if is_new and discard_if_empty(index, run):
            forget_points(workspace, run)
    left_out = [*plan.skipped, *skipped]
    if is_new and not appended:
        raise NothingToImportError(request.source, plan.folder, left_out)
    return ImportOutcome(plan, appended, left_out)
