"""Merges a preset, a TOML file and named settings into one training configuration."""

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
    """The config for a dataset: later sources override earlier ones.

    The order is: inherited settings, the preset, the TOML file, named settings. The image size is
    that of the dataset unless a source after the preset says otherwise.

    Args:
        path: a TOML file, or None.
        preset: a name of PRESETS, or None.
        settings: named settings.
        inherited: settings of another run.

    Raises:
        StudioError: an unknown preset or setting, a value that does not fit, an unknown dataset.
    """
    image_size = open_dataset(workspace, dataset).manifest.image_size
    values: dict[str, Any] = {"image_size": image_size, **(inherited or {})}
    if preset is not None:
        values = {**values, **_preset(preset), "image_size": image_size}
    if path is not None:
        TrainingConfig.read(path)  # Its errors name the file.
        values |= tomllib.loads(path.read_text(encoding="utf-8"))
    return TrainingConfig.from_dict({**values, **settings, "dataset": dataset})


def _preset(name: str) -> dict[str, Any]:
    if name not in PRESETS:
        raise StudioError(f"There is no preset '{name}'. Known: {', '.join(PRESETS)}.")
    return dataclasses.asdict(PRESETS[name].config)
