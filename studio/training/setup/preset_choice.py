"""Chooses a preset where a person names none: by the device, the number of pictures, their size."""

from __future__ import annotations

import dataclasses
from typing import Any

from studio.datasets.listing import open_dataset
from studio.runs.config import TrainingConfig
from studio.training.recipes import find_recipe
from studio.training.setup.presets import PRESETS
from studio.training.setup.time_estimate import estimate_training_s
from studio.workspace.devices import require_device
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.records.quantities import format_duration

FEW = 5000  # Pictures with fewer of which D learns them by heart, unless they are augmented.
ENOUGH = 1000  # Pictures from which the longer of the presets for a CPU pays.
LARGE_PX = 128  # Pictures from this size on are worth residual networks.
PATIENCE_S = 3600.0  # The longer preset is for machines that are through with it in this time.


def choose_preset(workspace: Workspace, dataset: str, device: str | None) -> str:
    """The preset for a dataset on a device; the same for the same three facts.

    On a CPU it is half-an-hour where there are enough pictures and cores, else small-and-quick. On
    a GPU it is few-pictures for few, big-and-patient for large ones, else half-an-hour.

    Args:
        device: such as `cpu` or `cuda:0`; what training would take where None.

    Raises:
        StudioError: there is no such dataset.
        RenderError: there is no such device.
    """
    manifest = open_dataset(workspace, dataset).manifest
    on = require_device(device)[0]
    if on == "cpu":
        longer_s = _estimate_s(_sized("half-an-hour", manifest.image_size), on)
        fits = longer_s is not None and longer_s <= PATIENCE_S
        return "half-an-hour" if fits and manifest.pictures >= ENOUGH else "small-and-quick"
    if manifest.pictures < FEW:
        return "few-pictures"
    return "big-and-patient" if manifest.image_size >= LARGE_PX else "half-an-hour"


def fitting_batch(workspace: Workspace, dataset: str, preset: str) -> dict[str, Any]:
    """A smaller batch_size for a dataset that has fewer pictures than a batch of the preset."""
    pictures = open_dataset(workspace, dataset, kind=None).manifest.pictures
    return {"batch_size": pictures} if 2 <= pictures < PRESETS[preset].config.batch_size else {}


def describe_choice(
    workspace: Workspace, preset: str, device: str | None, config: TrainingConfig
) -> str:
    """Which preset was chosen and for what, how long it takes, and how long the others would.

    Args:
        device: see `choose_preset`.
        config: the settings that were made of the preset.
    """
    manifest = open_dataset(workspace, config.dataset, kind=None).manifest
    on = require_device(device)[0]
    recipe = PRESETS[preset].config.recipe
    others = ", ".join(
        f"{name} {_estimate(_sized(name, manifest.image_size), on)}"
        for name, other in PRESETS.items()
        if name != preset and other.config.recipe == recipe
    )
    compared = f" The others take {others}; choose one by Settings, or --preset." if others else ""
    return (
        f"Preset {preset}, for {manifest.describe()} on {'the CPU' if on == 'cpu' else 'a GPU'}: "
        f"by estimate {_estimate(config, on)}.{compared}"
    )


def describe_time(device: str | None, config: TrainingConfig) -> str:
    """How long a run takes whose settings were named.

    Args:
        device: see `choose_preset`.
    """
    on = require_device(device)[0]
    where = "the CPU" if on == "cpu" else "a GPU"
    return f"By estimate it trains for {_estimate(config, on)} on {where}."


def _sized(preset: str, image_size: int) -> TrainingConfig:
    config = dataclasses.replace(PRESETS[preset].config, image_size=image_size)
    return find_recipe(config.recipe).complete(config)


def _estimate(config: TrainingConfig, device: str) -> str:
    """The time of a run in words."""
    estimate_s = _estimate_s(config, device)
    return "a time unknown" if estimate_s is None else format_duration(estimate_s, "words")


def _estimate_s(config: TrainingConfig, device: str) -> float | None:
    """Seconds of a run; None of somebody's own networks, and of those that cannot be built."""
    try:
        own = config.generator_spec().is_ours
        return estimate_training_s(config, device) if own else None
    except EXPECTED_ERRORS:
        return None
