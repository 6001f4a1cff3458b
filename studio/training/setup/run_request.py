"""From what a person said about a new run to its settings and what it begins from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.runs.config import TrainingConfig
from studio.training.setup.branching import BranchOrigin, FirstState, branch_off, start_warm
from studio.training.setup.settings_choice import choose_config
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class RunRequest:
    """What a person said.

    Attributes:
        dataset: its name; a branch has that of its parent where none is named.
        config: a TOML file with settings.
        preset: the name of one.
        settings: named ones, which come last.
        branch: RUN@BATCH to go on from.
        init_from: RUN@BATCH or RUN whose networks are taken.
    """

    dataset: str | None
    config: Path | None
    preset: str | None
    settings: Mapping[str, Any]
    branch: str | None = None
    init_from: str | None = None


def resolve_request(
    workspace: Workspace, wanted: RunRequest
) -> tuple[TrainingConfig, FirstState | None]:
    """The settings of a new run, and its first training state where it begins from another run.

    Raises:
        StudioError: settings that do not fit, no dataset, an unknown origin, other networks.
    """
    if wanted.branch and wanted.init_from:
        raise StudioError("--from goes on from another run, --init-from begins anew: give one.")
    text = wanted.branch or wanted.init_from
    origin = BranchOrigin.parse(workspace, text) if text else None
    inherited: dict[str, Any] = {}
    if origin is not None and wanted.branch:
        inherited = origin.settings(workspace)
    dataset = wanted.dataset or inherited.get("dataset")
    if not dataset:
        raise StudioError("There is nothing to train on. Name a dataset: studio datasets list")
    parent = {"parent": str(origin)} if origin is not None else {}
    config = choose_config(
        workspace,
        dataset,
        wanted.config,
        wanted.preset,
        {**wanted.settings, **parent},
        inherited,
    )
    if origin is None:
        return config, None
    begin = branch_off if wanted.branch else start_warm
    return config, begin(workspace, origin, config)
