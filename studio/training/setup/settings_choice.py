"""From what a person said to a training configuration."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.datasets.listing import open_dataset
from studio.runs.config import TrainingConfig
from studio.training.setup.presets import PRESETS
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace


def choose_config(
    workspace: Workspace,
    dataset: str,
    path: Path | None,
    preset: str | None,
    settings: Mapping[str, Any],
    inherited: Mapping[str, Any] | None = None,
) -> TrainingConfig:
    """Settings of a preset, then of a TOML file, then named ones, for a dataset's picture size.

    Args:
        inherited: settings of another run, which come first.

    Raises:
        StudioError: an unknown preset or setting, a value that does not fit, an unknown dataset.
    """
    image_size = open_dataset(workspace, dataset).manifest.image_size
    values: dict[str, Any] = {"image_size": image_size, **(inherited or {})}
    if preset is not None:
        values = {**values, **_preset(preset), "image_size": image_size}
    if path is not None:
        TrainingConfig.read(path)  # its errors name the file
        values |= tomllib.loads(path.read_text(encoding="utf-8"))
    return TrainingConfig.from_dict({**values, **settings, "dataset": dataset})


def _preset(name: str) -> dict[str, Any]:
    if name not in PRESETS:
        raise StudioError(f"There is no preset '{name}'. Known: {', '.join(PRESETS)}.")
    return dataclasses.asdict(PRESETS[name].config)
