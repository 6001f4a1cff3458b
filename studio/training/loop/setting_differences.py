"""Finds the settings in which a training state and a config differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from studio.runs.config import NETWORKS, TrainingConfig
from studio.workspace.errors import StudioError

# Settings that do not change how a run trains.
IGNORED = ("batches", "parent")


class SettingDifference(NamedTuple):
    """A setting that has another value than before."""

    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.name}: {self.before} -> {self.after}"


def differences(settings: Mapping[str, Any], config: TrainingConfig) -> list[SettingDifference]:
    """The settings of a config that differ from those of a training state.

    Settings that the state does not know do not count, nor do those that were "auto" in it.

    Args:
        settings: by name, as JSON keeps them.
    """
    return [
        SettingDifference(name, settings[name], value)
        for name, value in asdict(config).items()
        if name in settings
        and name not in IGNORED
        and settings[name] != "auto"
        and not _same(settings[name], value)
    ]


def check_same_networks(settings: Mapping[str, Any], config: TrainingConfig) -> None:
    """Refuse a config whose networks are not those of a training state.

    Args:
        settings: those of the state by name, as JSON keeps them.

    Raises:
        StudioError: the text names the settings that differ.
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
