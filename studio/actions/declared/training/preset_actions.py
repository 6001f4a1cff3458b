"""Presets: those of the studio, and settings that somebody keeps under a name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from studio.actions.action import Action, Done, Result, Table
from studio.actions.declared.run_actions import SECTION, Settings
from studio.runs.config import TrainingConfig, named_in
from studio.workspace.errors import StudioError
from studio.workspace.names import require_dataset_name
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord, option
from studio.workspace.trust import Named


class PresetRow(DeclaredRecord):
    """A preset; `own` where somebody saved it in the workspace."""

    name: str
    own: bool
    description: str


class PresetList(Result):
    """All presets."""

    presets: tuple[PresetRow, ...]

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        rows = [(row.name, "own" if row.own else "", row.description) for row in self.presets]
        yield Table(["preset", "", "for"], rows)


class PresetsList(Action):
    """List the presets, your own among them."""

    command = "presets list"
    section = SECTION
    is_job = False

    def perform(self, workspace: Workspace, reporter: Reporter) -> PresetList:
        """Read them."""
        from studio.training.setup.own_presets import list_own_presets
        from studio.training.setup.presets import PRESETS

        rows = [
            PresetRow(name=preset.name, own=False, description=preset.description)
            for preset in PRESETS.values()
        ]
        own = [
            PresetRow(name=name, own=True, description=f"studio train DATASET --preset {name}")
            for name in list_own_presets(workspace)
        ]
        return PresetList(presets=(*rows, *own))


class PresetsSave(Action):
    """Keep settings as a preset, to train with later.

    Dataset and picture size are not kept: they are those of the run that it trains.
    """

    command = "presets save"
    section = SECTION
    is_job = False

    name: str = option(
        help="Name of the preset.", argument=True, metavar="NAME", check=require_dataset_name
    )
    preset: str | None = option(None, "The preset to begin from; every default where none is.")
    like: str | None = option(
        None, "Begin with the settings of a run instead.", flag="--as", metavar="RUN"
    )
    config: Path | None = option(None, "TOML file with training settings, which come on top.")
    settings: Settings = option(
        {}, "A setting as NAME=VALUE; may be repeated.", flag="--set", metavar="NAME=VALUE"
    )
    overwrite: bool = option(False, "Replace the preset of this name.")

    def check(self, workspace: Workspace) -> None:
        """Refuse settings that do not fit."""
        self.chosen(workspace)

    def chosen(self, workspace: Workspace) -> TrainingConfig:
        """The settings that are kept.

        Raises:
            StudioError: an unknown preset, run or setting, or a value that does not fit.
        """
        from dataclasses import asdict

        from studio.runs.settings import apply_settings
        from studio.runs.status import read_config
        from studio.training.setup.own_presets import find_preset
        from studio.training.setup.settings_choice import read_file_settings

        if self.preset is not None and self.like is not None:
            raise StudioError("A preset begins from --preset or --as: leave one of them out.")
        values = find_preset(workspace, self.preset) if self.preset else {}
        if self.like is not None:
            values = asdict(read_config(workspace, self.like))
        if self.config is not None:
            values = apply_settings(values, read_file_settings(self.config))
        return TrainingConfig.from_dict(apply_settings(values, self.settings))

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """The settings that are named; what is trained with later is asked about then, too."""
        yield from named_in(self.settings)

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Write them."""
        from studio.training.setup.own_presets import save_preset

        save_preset(workspace, self.name, self.chosen(workspace), self.overwrite)
        return Done(said=f"Kept. Train with it: studio train DATASET --preset {self.name}")


class PresetsDelete(Action):
    """Delete a preset of your own.

    Runs that were trained with it keep their settings.
    """

    command = "presets delete"
    section = SECTION
    is_job = False

    name: str = option(
        help="Name of the preset.", argument=True, metavar="NAME", check=require_dataset_name
    )

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Delete its file."""
        from studio.training.setup.own_presets import delete_preset

        delete_preset(workspace, self.name)
        return Done()


ACTIONS = (PresetsList, PresetsSave, PresetsDelete)
