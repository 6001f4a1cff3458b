"""Makes a run of changed networks: a branch with its lineage, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.storage.catalogue import checkpoints_folder, list_runs
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.storage.files import build_folder, remove_leftovers
from latent.points import sample_points
from studio.runs.changes import forget_changes
from studio.runs.config import TrainingConfig
from studio.runs.events import forget_events, record_event
from studio.runs.lineage.parentage import Parentage, forget_parentage, record_parentage
from studio.runs.pins import forget_pins
from studio.specimens.points import FIXED, forget_points, keep_points
from studio.training.loop.state import write_state
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class MadeNetworks:
    """The networks that a run begins with.

    Attributes:
        spec: of the generator.
        weights: those of its first checkpoint.
        config: the settings to train on with; None where it cannot be trained.
        state: facts and tensors of the training state; None where there is none.
        storage: exact or visual.
    """

    spec: GeneratorSpec
    weights: Mapping[str, Tensor]
    config: TrainingConfig | None
    state: tuple[dict[str, Any], dict[str, Tensor]] | None
    storage: str


def check_free(workspace: Workspace, name: str) -> None:
    """Refuse a name that is a run's.

    Raises:
        StudioError: there is a run of that name.
    """
    if workspace.run(name).exists() or name in list_runs(workspace.runs):
        raise StudioError(f"Run '{name}' exists already. Choose another name.")


def make_branch(
    workspace: Workspace, name: str, made: MadeNetworks, begun: Parentage, words: str
) -> None:
    """Make the run; it appears when its first checkpoint and its training state are there.

    Args:
        begun: where it is of, and what was done to the networks.
        words: the text of its first event.

    Raises:
        StudioError: there is a run of that name, or it cannot be written.
        CheckpointError: its checkpoint cannot be kept.
    """
    check_free(workspace, name)
    try:
        with build_folder(workspace.run(name)) as folder:
            remove_leftovers(workspace.runs, name)
            _write_checkpoint(workspace, name, folder, made, begun.batch)
            if made.state is not None:
                write_state(folder / workspace.training_states(name).name, *made.state)
            if made.config is not None:
                made.config.write(folder / workspace.run_config(name).name)
            _record(workspace, name, folder, made, begun, words)
    except OSError as error:
        raise StudioError(
            f"Run '{name}' cannot be written: {error.strerror or error}. Nothing of it was kept."
        ) from error


def _write_checkpoint(
    workspace: Workspace, name: str, folder: Path, made: MadeNetworks, batch: int
) -> None:
    beside = folder / "beside"
    bound = ErrorBound.of_quality(made.config.quality) if made.config is not None else None
    with CheckpointIndex(beside).create(name, made.spec, made.storage, bound) as run:
        run.append(batch, made.weights)
        run.flush()
        kept = run.folder
    kept.rename(folder / checkpoints_folder(workspace.runs, name).name)
    shutil.rmtree(beside)


def _record(
    workspace: Workspace,
    name: str,
    folder: Path,
    made: MadeNetworks,
    begun: Parentage,
    words: str,
) -> None:
    """Keep points, event and lineage, before there is the run."""
    kinds = (forget_points, forget_pins, forget_changes, forget_events, forget_parentage)
    for forget in kinds:
        forget(workspace, name)
    count = (made.config or TrainingConfig()).fixed_points
    points = sample_points(0, range(count), made.spec.z_dim, shape=made.spec.shape_z)
    keep_points(workspace, name, points, origin=FIXED)
    record_event(workspace, name, begun.batch, "started", words)
    record_parentage(workspace, name, begun, folder)
