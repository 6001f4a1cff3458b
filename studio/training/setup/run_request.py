"""Resolves a request for a new run into its settings and the state that it begins from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.datasets.listing import open_dataset
from studio.runs.config import NETWORKS, TrainingConfig
from studio.runs.status import read_config
from studio.training.loop.setting_differences import differences
from studio.training.machine.precision import choose_precision
from studio.training.recipes import find_recipe, usual_recipe
from studio.training.setup.branching import BranchOrigin, FirstState, branch_off, start_warm
from studio.training.setup.preset_choice import (
    choose_preset,
    describe_choice,
    describe_time,
    fitting_batch,
)
from studio.training.setup.settings_choice import choose_config, read_file_settings
from studio.workspace.devices import require_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class RunRequest:
    """What a person asks for.

    Attributes:
        dataset: the name of a dataset; None for that of the run that it begins from.
        config: a TOML file with settings.
        preset: a name of PRESETS, or NO_PRESET; chosen where nothing else says how to train.
        settings: named settings, which override all others.
        branch: RUN@BATCH to go on from.
        init_from: RUN@BATCH or RUN with whose networks to begin at batch 0.
        device: the one that was named to train on.
        like: the run whose settings, as it began, hold where nothing else is said.
    """

    dataset: str | None
    config: Path | None
    preset: str | None
    settings: Mapping[str, Any]
    branch: str | None = None
    init_from: str | None = None
    device: str | None = None
    like: str | None = None

    @property
    def leaves_choice(self) -> bool:
        """Whether nothing says how to train, so that a preset is chosen."""
        return not (self.preset or self.config or self.branch or self.init_from or self.like)


def choose_settings(workspace: Workspace, wanted: RunRequest) -> TrainingConfig:
    """The settings of a new run.

    Raises:
        StudioError: settings that do not fit, no dataset, or an unknown origin.
    """
    if wanted.branch and wanted.init_from:
        raise StudioError("--from goes on from another run, --init-from begins anew: give one.")
    if wanted.like and (wanted.branch or wanted.init_from):
        raise StudioError("--from and --init-from bring the settings of their run: leave out --as.")
    origin = _origin(workspace, wanted)
    inherited: dict[str, Any] = {}
    if origin is not None:
        inherited = origin.settings(workspace)
    elif wanted.like:
        inherited = _settings_like(workspace, wanted)
    dataset = _dataset(wanted) or inherited.get("dataset")
    if not dataset:
        raise StudioError("There is nothing to train on. Name a dataset: studio datasets list")
    preset, fitting = wanted.preset, {}
    if wanted.leaves_choice:
        preset = _usual_preset(workspace, dataset, wanted)
        fitting = fitting_batch(workspace, dataset, preset)
    parent = {"parent": str(origin)} if origin is not None else {}
    settings = {**fitting, **wanted.settings, **parent}
    config = choose_config(workspace, dataset, wanted.config, preset, settings, inherited)
    if config.precision == "auto":
        device = require_device(wanted.device)[0]
        config = dataclasses.replace(config, precision=choose_precision("auto", device))
    if origin is not None:
        config = _with_networks(config, inherited, origin)
    return find_recipe(config.recipe).complete(config)


def _usual_preset(workspace: Workspace, dataset: str, wanted: RunRequest) -> str:
    """The preset where nobody named one: that of the recipe, else one chosen by the pictures.

    Where nobody named a recipe either, it is that for the kind of the dataset.

    Raises:
        StudioError: there is no such recipe.
    """
    kind = open_dataset(workspace, dataset, kind=None).manifest.kind
    recipe = find_recipe(wanted.settings.get("recipe") or usual_recipe(kind))
    return recipe.preset or choose_preset(workspace, dataset, wanted.device)


def _settings_like(workspace: Workspace, wanted: RunRequest) -> dict[str, Any]:
    """The settings with which a run began; its picture size only where its pictures are taken.

    Raises:
        StudioError: there is no such run, or it was not trained here.
    """
    settings = dataclasses.asdict(read_config(workspace, str(wanted.like)))
    del settings["parent"]
    if _dataset(wanted) not in (None, settings["dataset"]):
        del settings["image_size"]
    return settings


def _dataset(wanted: RunRequest) -> str | None:
    """The dataset that somebody named; None where nobody did. A file has the last word.

    Raises:
        StudioError: two different ones were named on the command line.
    """
    named = wanted.settings.get("dataset")
    dataset = wanted.dataset or named
    if named not in (None, dataset):
        raise StudioError(f"Dataset '{dataset}' was named, and '{named}' as a setting. Give one.")
    return dataset or _filed_dataset(wanted)


def _filed_dataset(wanted: RunRequest) -> str | None:
    """The dataset that the TOML file names, if there is such a file and it names one."""
    filed = {} if wanted.config is None else read_file_settings(wanted.config)
    return str(filed["dataset"]) if filed.get("dataset") else None


def explain_choice(workspace: Workspace, wanted: RunRequest, config: TrainingConfig) -> str:
    """The preset that was chosen for a request, and the time that it takes, in sentences.

    Args:
        config: the settings of the request.

    Returns:
        The time alone where a preset or other settings were named; "" for a run that goes on. What
        a file says in vain stands before it.
    """
    filed = _filed_dataset(wanted)
    unused = ""
    if filed not in (None, config.dataset):
        unused = f"It trains on '{config.dataset}', not on '{filed}' as {wanted.config} says. "
    if wanted.branch:
        return unused.rstrip()
    if not wanted.leaves_choice:
        return unused + describe_time(wanted.device, config)
    preset = _usual_preset(workspace, config.dataset, wanted)
    return describe_choice(workspace, preset, wanted.device, config)


def _with_networks(
    config: TrainingConfig, inherited: Mapping[str, Any], origin: BranchOrigin
) -> TrainingConfig:
    """The config with the networks of the run that it begins from; "auto" stands for what it has.

    Raises:
        StudioError: somebody asked for other networks.
    """
    if config.discriminator_norm == "auto" and "discriminator_norm" in inherited:
        norm = inherited["discriminator_norm"]
        config = dataclasses.replace(config, discriminator_norm=norm)
    others = [d for d in differences(inherited, config) if d.name in NETWORKS]
    if others:
        asked = "; ".join(f"{d.name} {d.after!r}, where it has {d.before!r}" for d in others)
        raise StudioError(
            f"The networks are those of run '{origin.run}', and others were asked for: {asked}. "
            "Leave that out, or begin without the other run."
        )
    return config


def resolve_request(
    workspace: Workspace, wanted: RunRequest
) -> tuple[TrainingConfig, FirstState | None]:
    """The settings of a new run, and its first training state where it begins from another run.

    Raises:
        StudioError: as `choose_settings`, or the other run has other networks.
    """
    config = choose_settings(workspace, wanted)
    origin = _origin(workspace, wanted)
    if origin is None:
        return config, None
    begin = branch_off if wanted.branch else start_warm
    return config, begin(workspace, origin, config)


def first_batch(workspace: Workspace, wanted: RunRequest) -> int:
    """The batch that a run would go on from; 0 for one that is no branch.

    Raises:
        StudioError: there is no such origin.
    """
    origin = _origin(workspace, wanted) if wanted.branch else None
    return 0 if origin is None else origin.batch


def require_way(workspace: Workspace, name: str, wanted: RunRequest, batches: int) -> None:
    """Refuse a branch that begins where it is to end, or behind that.

    Args:
        batches: to which it is to train.

    Raises:
        StudioError: it does, or there is no such origin.
    """
    begun = first_batch(workspace, wanted)
    if begun and begun >= batches:
        raise StudioError(
            f"Run '{name}' begins at batch {begun:,}, and was to train to batch {batches:,}. "
            f"Batches are counted on from those of '{wanted.branch}': --batches {2 * begun}"
        )


def _origin(workspace: Workspace, wanted: RunRequest) -> BranchOrigin | None:
    text = wanted.branch or wanted.init_from
    return BranchOrigin.parse(workspace, text) if text else None
