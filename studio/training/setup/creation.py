"""Creates runs, and extends them to more batches."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence

import psutil
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.catalogue import list_runs
from checkpoints_index.storage.error_bound import ErrorBound
from latent.points import LatentPoint
from studio.datasets.listing import open_dataset
from studio.runs.changes import forget_changes
from studio.runs.config import TrainingConfig
from studio.runs.events import record_event
from studio.runs.lineage.parentage import forget_parentage, record_parentage
from studio.runs.notices import check_notices
from studio.runs.pins import forget_pins
from studio.runs.status import read_config
from studio.specimens.points import FIXED, forget_points, keep_points
from studio.training.loop.fixed_points import choose_first_points
from studio.training.recipes import check_recipe, find_recipe, open_split
from studio.training.setup.branching import FirstState, write_first_state
from studio.training.setup.generator_check import check_generator
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.records.quantities import format_bytes

COPIES = 4  # A weight is kept with its gradient and Adam's two means.


def create_run(
    workspace: Workspace,
    name: str,
    config: TrainingConfig,
    storage: str,
    first: FirstState | None = None,
) -> None:
    """Create a run: its configuration, its fixed latent points, and its place in the index.

    The run appears in the index last, when everything else of it is there.

    Args:
        storage: exact or visual.
        first: the training state to begin from; None for untrained networks.

    Raises:
        StudioError: the run exists, a dataset is missing or does not fit, the networks cannot be
            built, or exact storage is given a quality.
    """
    recipe = find_recipe(config.recipe)
    config = recipe.settle(recipe.complete(config))
    check_new_run(workspace, name, config, storage)
    folder = workspace.run(name)
    check_generator(recipe.build_networks(config)["G"], config)
    points = choose_first_points(config, open_split(workspace, config))

    is_new = not folder.exists()
    try:
        _write_run(workspace, name, config, storage, first, points)
    except BaseException:
        if is_new:  # What cannot be made does not keep its name.
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _write_run(
    workspace: Workspace,
    name: str,
    config: TrainingConfig,
    storage: str,
    first: FirstState | None,
    points: Sequence[LatentPoint],
) -> None:
    workspace.run(name).mkdir(parents=True, exist_ok=True)
    for forget in (forget_points, forget_pins, forget_changes, forget_parentage):
        forget(workspace, name)
    shutil.rmtree(workspace.training_states(name), ignore_errors=True)
    if first is not None:
        write_first_state(workspace, name, first)
        record_event(workspace, name, first.batch, "started", first.words)
        record_parentage(workspace, name, first.begun)
    config.write(workspace.run_config(name))
    keep_points(workspace, name, points, origin=FIXED)
    error_bound = ErrorBound.of_quality(config.quality)
    CheckpointIndex(workspace.runs).create(
        name, config.generator_spec(), storage, error_bound
    ).close()


def check_new_run(workspace: Workspace, name: str, config: TrainingConfig, storage: str) -> None:
    """Refuse a run that cannot be made, as far as that shows before its networks are built.

    Raises:
        StudioError: the run exists, or its name or its settings will not do, or its datasets.
    """
    workspace.run(name)
    if name in list_runs(workspace.runs):
        raise StudioError(f"Run '{name}' exists already. Go on with it: studio resume {name}")
    check_recipe(config)
    check_quality(config, storage)
    check_datasets(workspace, config)
    check_size(config)
    check_notices(config.alarm_webhook, config.alarm_command)


def check_quality(config: TrainingConfig, storage: str) -> None:
    """Refuse a quality for exact storage, which it would not change.

    Raises:
        StudioError: the text says what goes together.
    """
    if storage == "exact" and config.quality != TrainingConfig.quality:
        raise StudioError(
            f"A quality of {config.quality:g} goes with visual storage alone: exact keeps every "
            "bit. Leave --quality out, or --storage exact."
        )


def check_size(config: TrainingConfig) -> None:
    """Refuse networks that cannot be built, or are larger than the memory of this machine.

    Somebody's own generator is not looked at: it is built when the run is made.

    Raises:
        StudioError: the text says how large they are.
        CheckpointError: the generator does not take its options.
    """
    spec = config.generator_spec()
    if not spec.is_ours:
        return
    with torch.device("meta"):
        networks = find_recipe(config.recipe).build_networks(config)
    size_bytes = sum(p.nbytes for network in networks.values() for p in network.parameters())
    memory_bytes = psutil.virtual_memory().total
    if COPIES * size_bytes > memory_bytes:
        raise StudioError(
            f"Networks of {format_bytes(size_bytes)} take {format_bytes(COPIES * size_bytes)} to "
            f"train, and this machine has {format_bytes(memory_bytes)}. Take a smaller width."
        )


def check_datasets(workspace: Workspace, config: TrainingConfig) -> None:
    """Refuse datasets of another kind, with too few pictures, or too small ones.

    Raises:
        StudioError: the text names the dataset, what it has, and what the run wants.
    """
    recipe = find_recipe(config.recipe)
    for name in filter(None, (config.dataset, config.negatives)):
        recipe.check_dataset(config, open_dataset(workspace, name, recipe.dataset_kind))


def extend_run(workspace: Workspace, name: str, batches: int) -> None:
    """Set another last batch of a run, which is recorded as an event.

    Raises:
        StudioError: the run was not trained here.
    """
    config = read_config(workspace, name)
    if batches != config.batches:
        dataclasses.replace(config, batches=batches).write(workspace.run_config(name))
        text = f"batches: {config.batches:,} -> {batches:,}"
        record_event(workspace, name, None, "changed", text)
