"""Making anew what tells which runs and points there are, from segments and exported pictures."""

from __future__ import annotations

from collections.abc import Iterator

from checkpoints_index.errors import CheckpointError
from checkpoints_index.storage.catalogue import open_catalogue
from checkpoints_index.upkeep.reindexing import Reindexed, reindex
from latent.points import LatentPoint, parse_label, sample_points
from studio.runs.config import TrainingConfig
from studio.specimens.passports import Passport, read_passport
from studio.specimens.points import FIXED, SAMPLED, keep_points
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.progress import OnProgress


def reindex_workspace(workspace: Workspace, on_progress: OnProgress) -> list[Reindexed]:
    """Put all runs in order, and give them back the latent points that a lost database held."""
    found = reindex(workspace.runs, on_progress, explain)
    for run in found:
        try:
            z_dim = open_catalogue(workspace.runs, run.run).spec.z_dim
        except CheckpointError:  # which stands in the notes of this run
            continue
        restore_points(workspace, run.run, z_dim)
    return found


def restore_points(workspace: Workspace, run: str, z_dim: int) -> None:
    """Keep a run's fixed points, and those of its exported pictures; known ones stay as they are.

    Args:
        z_dim: length of the run's latent points.
    """
    config = workspace.run_config(run)
    count = TrainingConfig.read(config).fixed_points if config.exists() else None
    fixed = sample_points(0, range(count or TrainingConfig.fixed_points), z_dim)
    keep_points(workspace, run, fixed, FIXED)
    exported = [
        LatentPoint(origin.label, origin.z)
        for origin in exported_origins(workspace, run)
        if parse_label(origin.label) is not None and len(origin.z) == z_dim
    ]
    keep_points(workspace, run, exported, SAMPLED)


def exported_origins(workspace: Workspace, run: str) -> Iterator[Passport]:
    """Where the exported pictures of a run come from, those that say so."""
    for path in workspace.specimens(run).glob("*.jpg"):
        try:
            origin = read_passport(path)
        except EXPECTED_ERRORS:  # somebody else's picture in the folder
            continue
        if origin.run == run:
            yield origin
