"""What two sets of settings do not have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from studio.runs.config import TrainingConfig
from studio.workspace.errors import StudioError

NETWORKS = (
    *("recipe", "generator", "generator_options", "z_dim", "image_size"),
    *("discriminator", "discriminator_width", "discriminator_norm", "minibatch_stddev"),
)
NEVER_TOLD = ("batches", "parent")  # going farther is no other way to train


class SettingDifference(NamedTuple):
    """A setting that has another value."""

    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.name}: {self.before} -> {self.after}"


def differences(settings: Mapping[str, Any], config: TrainingConfig) -> list[SettingDifference]:
    """Settings by name, as JSON keeps them, beside a config.

    Names that are new do not count, nor does what was left open and has been decided since.
    """
    return [
        SettingDifference(name, settings[name], value)
        for name, value in asdict(config).items()
        if name in settings
        and name not in NEVER_TOLD
        and settings[name] != "auto"
        and not _same(settings[name], value)
    ]


def check_same_networks(settings: Mapping[str, Any], config: TrainingConfig) -> None:
    """Refuse to go on with other networks than those of a training state.

    Raises:
        StudioError: it names the settings that differ.
    """
    changed = [d for d in differences(settings, config) if d.name in NETWORKS]
    if changed:
        raise StudioError(
            f"The training state is of other networks ({'; '.join(map(str, changed))}). Put "
            "run.toml back, or train another run."
        )


def _same(one: Any, other: Any) -> bool:
    pairs = isinstance(one, list | tuple) and isinstance(other, list | tuple)
    return list(one) == list(other) if pairs else bool(one == other)
