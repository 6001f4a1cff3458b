"""Reindexing: find runs in their segments again, and points in exported pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from checkpoints_index.errors import CheckpointError
from checkpoints_index.storage.catalogue import open_catalogue
from checkpoints_index.upkeep.reindexing import Reindexed, reindex
from latent.points import LatentPoint, parse_label, sample_point, sample_points
from renderers.progress import OnProgress
from studio.runs.config import TrainingConfig
from studio.specimens.own_points import restore_own_points
from studio.specimens.passports import Passport, read_passport
from studio.specimens.picture_metadata import list_pictures
from studio.specimens.points import FIXED, SAMPLED, genuine_label, keep_points
from studio.training.loop.fixed_points import choose_first_points
from studio.training.recipes import open_split
from studio.workspace.advice import explain
from studio.workspace.claims import Claim, claiming
from studio.workspace.database import open_database
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.marks import apply_marks, read_marks, save_marks
from studio.workspace.names import shorten
from studio.workspace.paths import Workspace


def reindex_workspace(workspace: Workspace, on_progress: OnProgress) -> list[Reindexed]:
    """Reindex all runs, and restore the latent points that a lost database held.

    Returns:
        What was found, run by run.

    Raises:
        InUseError: something is being taken away from a run; nothing was changed.
    """
    names = sorted(path.parent.name for path in workspace.runs.glob("*/checkpoints"))
    with claiming(workspace, [Claim("run", name) for name in names], "studio reindex"):
        return _reindex_all(workspace, on_progress)


def _reindex_all(workspace: Workspace, on_progress: OnProgress) -> list[Reindexed]:
    found = reindex(workspace.runs, on_progress, explain)
    for run in found:
        try:
            z_dim = open_catalogue(workspace.runs, run.run).spec.z_dim
        except CheckpointError:
            continue  # The notes of this run say what is wrong with it.
        run.notes.extend(restore_points(workspace, run.run, z_dim))
    return found


def restore_points(workspace: Workspace, run: str, z_dim: int) -> list[str]:
    """Restore a run's fixed points, those of files, and those of its exported pictures.

    Known ones stay unchanged.

    Args:
        z_dim: length of the run's latent points.

    Returns:
        A line for each file or picture whose points were not restored.
    """
    notes = []
    for restore in (_restore_fixed, restore_own_points, restore_marks):
        try:
            restore(workspace, run)
        except StudioError as error:
            notes.append(str(error))
    names = {run, *former_names(workspace, run)}
    for path in list_pictures(workspace.specimens(run)):
        try:
            passport = read_passport(path)
            if passport.run in names:
                _restore(workspace, run, passport, z_dim)
        except EXPECTED_ERRORS as error:
            notes.append(f"{shorten(path.name)} was passed over: {error}")
    return notes


def _restore_fixed(workspace: Workspace, run: str) -> None:
    """Keep the fixed points of a run, drawn as they were, or cut out of its dataset again.

    Raises:
        StudioError: they come from a dataset that is not there.
    """
    path, spec = workspace.run_config(run), open_catalogue(workspace.runs, run).spec
    config = TrainingConfig.read(path) if path.exists() else TrainingConfig()
    if spec.can_draw:
        numbers = range(config.fixed_points)
        keep_points(
            workspace, run, sample_points(0, numbers, spec.z_dim, shape=spec.shape_z), FIXED
        )
    elif path.exists():
        points = choose_first_points(config, open_split(workspace, config))
        keep_points(workspace, run, points, FIXED)


def restore_marks(workspace: Workspace, run: str) -> None:
    """Give a run its former names, its pins and the marks of its specimens back; known ones stay.

    Raises:
        StudioError: the file of them has changed since it was written.
        CheckpointError: unknown run.
    """
    marks, catalogue = read_marks(workspace, run), open_catalogue(workspace.runs, run)
    z_dim, shape = catalogue.spec.z_dim, catalogue.spec.shape_z
    places = [place for label in sorted(marks.labels) if (place := parse_label(label)) is not None]
    if catalogue.spec.can_draw:
        drawn = [sample_point(*place, z_dim, shape=shape) for place in places]
        keep_points(workspace, run, drawn, SAMPLED)  # Those that are kept already stay as they are.
    pins = [batch for batch in marks.pins if batch in catalogue.records]
    with open_database(workspace.database, writing=True) as db:
        apply_marks(db, run, replace(marks, pins=pins))
        save_marks(db, workspace, run)


def _restore(workspace: Workspace, run: str, passport: Passport, z_dim: int) -> None:
    """Keep the point of an exported picture under its label, unless that is another point's."""
    if len(passport.z) != z_dim:
        raise StudioError(f"it holds a point of {len(passport.z)} numbers, the run's have {z_dim}.")
    label = genuine_label(workspace, run, passport)
    if label != passport.label:
        raise StudioError(f"it has other numbers than {passport.label} of the run.")
    if parse_label(label) is not None:
        keep_points(workspace, run, [LatentPoint(label, passport.z)], SAMPLED)


def former_names(workspace: Workspace, run: str) -> list[str]:
    """The names that a run had before it was renamed."""
    with open_database(workspace.database) as db:
        rows = db.execute("SELECT former FROM former_names WHERE run = ?", (run,)).fetchall()
    return [row["former"] for row in rows]


def exported_passports(workspace: Workspace, run: str) -> Iterator[Passport]:
    """Yield the passports of a run's exported pictures; pictures without one are passed over."""
    names = {run, *former_names(workspace, run)}
    for path in list_pictures(workspace.specimens(run)):
        try:
            passport = read_passport(path)
        except EXPECTED_ERRORS:
            continue  # The picture was not exported here.
        if passport.run in names:
            yield passport
