"""Runs made of checkpoints that a person already has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkpoints_index import CheckpointIndex
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.plan import ImportPlan, SkippedFile, plan_import
from checkpoints_index.importing.transfer import import_files, open_import
from latent.points import sample_points
from studio.runs.config import TrainingConfig
from studio.runs.pins import forget_pins
from studio.specimens.points import FIXED, forget_points, keep_points
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter


@dataclass(frozen=True)
class ImportRequest:
    """What a person asks for: see `GeneratorFinder` and `plan_import`."""

    source: Path
    generator: str | None
    options: dict[str, Any]
    pattern: str | None


@dataclass(frozen=True)
class Import:
    """What became of it."""

    plan: ImportPlan
    appended: int
    skipped: list[SkippedFile]


def look_into(request: ImportRequest, reporter: Reporter) -> tuple[ImportPlan, GeneratorFinder]:
    """What an import would do; nothing is written.

    Raises:
        StudioError: there is nothing to import, or a doubt that a person has to settle.
    """
    finder = GeneratorFinder(request.generator, request.options)
    with reporter.task("Looking into files") as on_progress:
        return plan_import(request.source, finder, request.pattern, on_progress), finder


def import_run(
    workspace: Workspace, run: str, request: ImportRequest, storage: str | None, reporter: Reporter
) -> Import:
    """Import files as a run, or go on with an import that was interrupted.

    The run has fixed latent points, as one that was trained here has.

    Raises:
        StudioError: as `look_into`, `open_import` and `import_files`.
    """
    workspace.run(run)
    plan, finder = look_into(request, reporter)
    index = CheckpointIndex(workspace.runs)
    if run not in index:
        points = sample_points(0, range(TrainingConfig.fixed_points), plan.spec.z_dim)
        forget_points(workspace, run)
        forget_pins(workspace, run)
        keep_points(workspace, run, points, origin=FIXED)
    opened = open_import(index, run, plan, storage)
    with reporter.task("Importing checkpoints") as on_progress:
        appended, skipped = import_files(opened, plan, finder, on_progress)
    return Import(plan, appended, [*plan.skipped, *skipped])
