"""Importing: checkpoints that a person already has, as files, become a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.plan import ImportPlan, plan_import
from checkpoints_index.importing.refusals import NothingToImportError, SkippedFile
from checkpoints_index.importing.transfer import (
    begun_spec,
    choose_new,
    discard_if_empty,
    import_files,
    open_import,
    require_begun,
    require_same,
)
from checkpoints_index.storage.catalogue import open_catalogue
from checkpoints_index.storage.trusted_classes import trust_class
from latent.points import sample_points
from studio.runs.config import TrainingConfig
from studio.runs.lineage.parentage import forget_parentage
from studio.runs.pins import forget_pins
from studio.specimens.points import FIXED, forget_points, keep_points
from studio.upkeep.removal import list_beside
from studio.upkeep.replacing import describe_change, describe_loss, replacing_run
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
        z_distribution: how latent points are distributed; None: as it is told, or normal.
    """

    source: Path
    generator: str | None
    options: dict[str, Any]
    pattern: str | None
    z_distribution: str | None = None


@dataclass(frozen=True)
class ImportOutcome:
    """What an import did.

    Attributes:
        plan: which files it meant to import.
        appended: how many checkpoints it added to the run.
        skipped: files that were left out, each with the reason.
        changes: what became other than it was of a run that was replaced, a sentence each.
    """

    plan: ImportPlan
    appended: int
    skipped: list[SkippedFile]
    changes: tuple[str, ...] = ()


def inspect_files(
    request: ImportRequest, reporter: Reporter, begun: GeneratorSpec | None = None
) -> tuple[ImportPlan, GeneratorFinder]:
    """Plan an import by looking into the files; nothing is written.

    Args:
        begun: the generator of the run that the import goes on with: where a person says nothing
            else, files are held against it rather than fitted anew.

    Raises:
        CheckpointError: there is nothing to import, or a person has to say how to read the files.
    """
    is_said = request.generator or request.options or request.z_distribution
    known = None if is_said else begun
    finder = GeneratorFinder(
        request.generator, request.options, request.z_distribution, known=known
    )
    try:
        with reporter.task("Looking into files") as on_progress:
            return plan_import(request.source, finder, request.pattern, on_progress), finder
    except NothingToImportError:
        if known is None:
            raise
    # No file has the generator of the run: which one they have is found out, to be told.
    return inspect_files(request, reporter)


def plan_addition(
    workspace: Workspace, run: str, request: ImportRequest, storage: str | None, reporter: Reporter
) -> tuple[ImportPlan, int]:
    """The plan of `import_run` into a run that is there, with the files that would come in.

    Returns:
        The plan, and how many of its files the run has already.

    Raises:
        CheckpointError: as `import_run`.
    """
    index = CheckpointIndex(workspace.runs)
    plan, _ = inspect_files(request, reporter, begun_spec(index, run))
    require_same(index, run, plan, storage)
    files, late = choose_new(plan, set(index[run].batches))
    rest = replace(plan, files=tuple(files), skipped=(*plan.skipped, *late))
    return rest, len(plan.files) - len(files) - len(late)


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
    index = CheckpointIndex(workspace.runs)
    plan, finder = inspect_files(request, reporter, begun_spec(index, run))
    is_new = run not in index
    if is_new:
        spec = plan.spec
        count = TrainingConfig.fixed_points if spec.can_draw else 0
        points = sample_points(0, range(count), spec.z_dim, shape=spec.shape_z)
        for forget in (forget_points, forget_pins, forget_parentage):
            forget(workspace, run)
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


def replace_run(
    workspace: Workspace, run: str, request: ImportRequest, storage: str | None, reporter: Reporter
) -> ImportOutcome:
    """Import files anew in the place of a run that an import began; whoever calls holds it alone.

    Points, stars, names, pins and events stay with the name where they fit. Until all files are
    imported the old run is there, and it stays where that fails.

    Args:
        storage: `exact` or `visual`; None: what the old run has.

    Raises:
        CheckpointError: as `import_run`, or no import began the run.
    """
    index = CheckpointIndex(workspace.runs)
    require_begun(index, run)
    old = open_catalogue(workspace.runs, run)
    plan, finder = inspect_files(request, reporter)
    with replacing_run(workspace, run) as beside:
        made = CheckpointIndex(beside)
        opened = open_import(made, run, plan, storage or old.storage)
        with reporter.task("Importing checkpoints") as on_progress:
            appended, skipped = import_files(opened, plan, finder, on_progress)
        left_out = [*plan.skipped, *skipped]
        if not appended:
            raise NothingToImportError(request.source, plan.folder, left_out)
        changes = describe_replacement(workspace, run, plan.spec, made[run].batches)
        if plan.spec.trusted:
            trust_class(workspace.runs, plan.spec.architecture)
    return ImportOutcome(plan, appended, left_out, changes)


def describe_replacement(
    workspace: Workspace, run: str, spec: GeneratorSpec, batches: Sequence[int]
) -> tuple[str, ...]:
    """What an import in the place of a run changes of it, a sentence each.

    Args:
        spec, batches: those of the import.
    """
    change = describe_change(open_catalogue(workspace.runs, run), spec, batches)
    beside = list_beside(workspace, run)
    stale = "Its films, atlases and exported pictures show the former checkpoints; draw them anew."
    return (
        f"In the place of run '{run}': {change}.",
        *describe_loss(workspace, run, spec, batches),
        *([stale] if beside else []),
    )
