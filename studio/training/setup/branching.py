"""Begins a run from another one: from its training state, or from a checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.catalogue import open_catalogue
from checkpoints_index.storage.files import sync_folder
from studio.runs.changes import list_changes, settings_at
from studio.runs.config import TrainingConfig
from studio.runs.lineage.parentage import Parentage
from studio.runs.settings import OPTIONS, apply_settings
from studio.runs.status import read_config
from studio.training.loop.setting_differences import check_same_networks
from studio.training.loop.state import (
    FOR_GOOD,
    below,
    facts_of,
    find_state,
    list_states,
    read_state,
    save_state,
    tensors_of,
)
from studio.training.machine.processes import Processes
from studio.training.recipes import Recipe, build_recipe
from studio.workspace.errors import StudioError
from studio.workspace.names import BRANCH, WARM_START, split_checkpoint
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class BranchOrigin:
    """Another run at a batch, from which a run begins; written RUN@BATCH."""

    run: str
    batch: int

    def __str__(self) -> str:
        return f"{self.run}@{self.batch}"

    @classmethod
    def parse(cls, workspace: Workspace, text: str) -> BranchOrigin:
        """Read RUN@BATCH, or RUN for its last batch.

        Raises:
            StudioError: the text is neither, or nothing is kept of that batch.
            CheckpointError: there is no such run.
        """
        run, batch = split_checkpoint(text.removesuffix("@"))
        catalogue = open_catalogue(workspace.runs, run)
        if batch is None:
            if not catalogue.batches:
                raise StudioError(f"Run '{run}' has no checkpoint to begin from.")
            return cls(run, catalogue.batches[-1])
        origin = cls(run, batch)
        if origin.batch not in catalogue.records and origin.state(workspace) is None:
            raise StudioError(
                f"Run '{run}' has neither a checkpoint nor a training state of batch "
                f"{origin.batch}. See what there is: studio checkpoints {run}"
            )
        return origin

    def state(self, workspace: Workspace) -> Path | None:
        """The path of the training state of exactly this batch; None where it is not kept."""
        return find_state(workspace.training_states(self.run), self.batch)

    def parentage(self, kind: str) -> Parentage:
        """How a run begins that begins from here; kind as in `Parentage`."""
        return Parentage(kind, self.run, self.batch)

    def settings(self, workspace: Workspace) -> dict[str, Any]:
        """The settings of the run at this batch; of an imported run, those of its generator."""
        if not workspace.run_config(self.run).exists():
            spec = open_catalogue(workspace.runs, self.run).spec
            return apply_settings({}, {"generator": spec.architecture, OPTIONS: spec.options})
        config = read_config(workspace, self.run)
        return asdict(settings_at(config, list_changes(workspace, self.run), self.batch))


@dataclass(frozen=True)
class FirstState:
    """The training state that a new run begins from.

    Attributes:
        content: the path of a state, or a recipe that a state is saved of.
        batch: the batch that the run begins from.
        words: in words, what the state was made of.
        begun: the run that it begins from, and as what.
    """

    content: Path | Recipe
    batch: int
    words: str
    begun: Parentage


def branch_off(workspace: Workspace, origin: BranchOrigin, config: TrainingConfig) -> FirstState:
    """The state to go on with from a batch of another run, perhaps with other settings.

    The run's training state is taken where it is kept. Otherwise G comes from the checkpoint, D
    from the nearest state, and the optimisers begin anew.

    Raises:
        StudioError: the config has other networks than the run.
    """
    path = origin.state(workspace)
    if path is not None:
        facts, _ = read_state(path)
        check_same_networks(facts.get("config", {}), config)
        words = f"branched off {origin} with its training state"
        return FirstState(path, origin.batch, words, origin.parentage(BRANCH))
    recipe = build_recipe(config, Processes.single(torch.device("cpu")))
    words = load_networks(workspace, origin, recipe)
    recipe.batch = origin.batch
    words = f"branched off {origin} with {words} and fresh optimisers"
    return FirstState(recipe, origin.batch, words, origin.parentage(BRANCH))


def start_warm(workspace: Workspace, origin: BranchOrigin, config: TrainingConfig) -> FirstState:
    """The state to begin with at batch 0, with the networks of another run.

    Raises:
        StudioError: the config has other networks than the run.
    """
    recipe = build_recipe(config, Processes.single(torch.device("cpu")))
    words = load_networks(workspace, origin, recipe)
    begun = origin.parentage(WARM_START)
    return FirstState(recipe, 0, f"began with {words} of {origin}", begun)


def load_networks(workspace: Workspace, origin: BranchOrigin, recipe: Recipe) -> str:
    """Load the networks of a run into a recipe.

    Returns:
        In words, which networks were found.

    Raises:
        StudioError: the recipe has other networks than the run.
    """
    exact = origin.state(workspace)
    path = exact or _nearest_state(workspace, origin)
    tensors = read_state(path)[1] if path is not None else {}
    if exact is not None:
        for name, module in recipe.modules.items():
            _load(module, below(tensors, name), f"{name} of {origin}")
        return "all networks"
    weights = CheckpointIndex(workspace.runs)[origin.run].weights(origin.batch)
    for name in recipe.of_checkpoint:
        if name in recipe.modules:
            _load(recipe.modules[name], weights, f"the checkpoint {origin}")
    others = [name for name in recipe.modules if name not in recipe.of_checkpoint]
    if not others:
        return "G of its checkpoint"
    if path is None:
        return f"G of its checkpoint and a fresh {', '.join(others)}"
    for name in others:
        _load(recipe.modules[name], below(tensors, name), f"{name} of {origin.run}")
    return f"G of its checkpoint, {', '.join(others)} of batch {int(path.stem):,}"


def write_first_state(workspace: Workspace, run: str, first: FirstState) -> None:
    """Write the first training state of a run."""
    folder = workspace.training_states(run)
    if isinstance(first.content, Path):
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{first.content.stem}.part"
        shutil.copyfile(first.content, beside)
        beside.rename(folder / first.content.name)
        sync_folder(folder)
    else:
        save_state(folder, first.content, _UnusedData(first.content.config.seed))


def read_first_state(first: FirstState) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The facts and the tensors of the state that a run would begin from; see `read_state`.

    Raises:
        DamagedStateError: the file is damaged.
    """
    if isinstance(first.content, Path):
        return read_state(first.content)
    recipe = first.content
    facts = facts_of(recipe, _UnusedData(recipe.config.seed))
    return json.loads(json.dumps(facts)), dict(tensors_of(recipe))


class _UnusedData:
    """The position in data from which nothing has been drawn."""

    def __init__(self, seed: int) -> None:
        self.state: dict[str, Any] = dict(np.random.default_rng(seed).bit_generator.state)


def _nearest_state(workspace: Workspace, origin: BranchOrigin) -> Path | None:
    folder = workspace.training_states(origin.run)
    paths = [*list_states(folder), *list_states(folder / FOR_GOOD)]
    return min(paths, key=lambda path: abs(int(path.stem) - origin.batch), default=None)


def _load(module: nn.Module, weights: Mapping[str, Tensor], whose: str) -> None:
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = (
            str(error).splitlines()[-1].strip().partition(": ")[0]
        )  # The first line is a heading.
        raise StudioError(
            f"{whose} does not fit the networks of the new run ({reason}). Choose the generator, "
            "its options and the discriminator as that run has them."
        ) from error
