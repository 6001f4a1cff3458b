"""Presets of one's own: settings that somebody keeps in the workspace under a name."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from checkpoints_index.storage.files import sync_folder
from studio.runs.config import TrainingConfig
from studio.training.setup.presets import NO_PRESET, PRESETS
from studio.workspace.errors import StudioError
from studio.workspace.names import require_dataset_name
from studio.workspace.paths import Workspace

OF_A_RUN = ("dataset", "parent", "image_size")  # What a preset leaves to the run.


def list_own_presets(workspace: Workspace) -> list[str]:
    """The names of the presets that somebody saved, ascending."""
    return sorted(path.stem for path in workspace.presets.glob("*.toml") if path.is_file())


def read_own_preset(workspace: Workspace, name: str) -> TrainingConfig:
    """The settings that were saved under a name.

    Raises:
        StudioError: there are none, or they are damaged.
    """
    if name not in list_own_presets(workspace):
        raise StudioError(
            f"There is no preset '{name}' of your own. Known: "
            f"{', '.join(list_own_presets(workspace)) or 'none yet'}."
        )
    return TrainingConfig.read(workspace.preset(name))


def save_preset(
    workspace: Workspace, name: str, config: TrainingConfig, overwrite: bool = False
) -> None:
    """Keep settings under a name; dataset, parent and picture size are those of the run to come.

    Args:
        overwrite: replace those that have the name.

    Raises:
        StudioError: the name is taken, or cannot be one.
    """
    require_dataset_name(name)
    if name in PRESETS or name == NO_PRESET:
        raise StudioError(f"The preset '{name}' is the studio's own. Choose another name.")
    if name in list_own_presets(workspace) and not overwrite:
        raise StudioError(f"There is a preset '{name}'. Choose another name, or add --overwrite.")
    plain = {field: getattr(TrainingConfig(), field) for field in OF_A_RUN}
    try:
        workspace.presets.mkdir(exist_ok=True)
        replace(config, **plain).write(workspace.preset(name))
    except OSError as error:
        raise StudioError(f"The preset cannot be written: {error.strerror or error}.") from error


def delete_preset(workspace: Workspace, name: str) -> None:
    """Forget the settings that were saved under a name.

    Raises:
        StudioError: there are none.
    """
    if name in PRESETS:
        raise StudioError(f"The preset '{name}' is the studio's own, and stays.")
    if name not in list_own_presets(workspace):
        read_own_preset(workspace, name)
    workspace.preset(name).unlink(missing_ok=True)
    sync_folder(workspace.presets)


def find_preset(workspace: Workspace, name: str) -> dict[str, Any]:
    """The settings of a preset of the studio's or of one's own; none for NO_PRESET.

    Raises:
        StudioError: there is no such preset.
    """
    if name == NO_PRESET:
        return {}
    if name in PRESETS:
        return asdict(PRESETS[name].config)
    own = list_own_presets(workspace)
    if name not in own:
        known = ", ".join([*PRESETS, *own, NO_PRESET])
        raise StudioError(f"There is no preset '{name}'. Known: {known}.")
    return asdict(read_own_preset(workspace, name))
