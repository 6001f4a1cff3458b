"""Merges a preset, a TOML file and named settings into one training configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.datasets.listing import open_dataset
from studio.runs.config import NETWORKS, TrainingConfig, read_settings
from studio.runs.settings import apply_settings
from studio.training.setup.own_presets import find_preset
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
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

    The order is: inherited settings, the preset but for inherited networks, the TOML file, named
    settings. The image size is that of the dataset unless a source after the preset says otherwise,
    or networks are inherited.

    Args:
        path: a TOML file, or None.
        preset: a name of PRESETS, or of one's own; NO_PRESET or None for the defaults.
        settings: named settings.
        inherited: settings of another run.

    Raises:
        StudioError: an unknown preset or setting, a value that does not fit, an unknown dataset.
    """
    image_size = open_dataset(workspace, dataset, kind=None).manifest.image_size
    values: dict[str, Any] = {"image_size": image_size, **(inherited or {})}
    if preset is not None:
        networks = {name: values[name] for name in NETWORKS if name in values}
        values = {**values, **find_preset(workspace, preset), **networks}
    if path is not None:
        values = apply_settings(values, read_file_settings(path))
    return TrainingConfig.from_dict({**apply_settings(values, settings), "dataset": dataset})


def read_file_settings(path: Path) -> dict[str, Any]:
    """The settings in a TOML file, as they are written there.

    The file may be the `run.toml` of another run. That one's parent is not the parent of this one.

    Raises:
        StudioError: the file cannot be read, or a setting does not fit; the text names the file.
    """
    try:
        named = apply_settings({}, read_settings(path))
        TrainingConfig.from_dict(named)
    except EXPECTED_ERRORS as error:
        raise error if str(path) in str(error) else StudioError(f"{path}: {error}") from error
    return {name: value for name, value in read_settings(path).items() if name != "parent"}
