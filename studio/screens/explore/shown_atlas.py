"""The atlases that can be shown: of one checkpoint, and over training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.atlases.atlas_files import RECORD as ATLAS_RECORD
from studio.atlases.atlas_files import DrawnAtlas, list_atlases
from studio.atlases.growth_files import RECORD as GROWTH_RECORD
from studio.atlases.growth_files import GrowthAtlas, list_growths
from studio.workspace.paths import Workspace

ShownAtlas = DrawnAtlas | GrowthAtlas


def list_shown(workspace: Workspace, run: str) -> list[ShownAtlas]:
    """The atlases of a run: those of one checkpoint first, then those over training.

    Damaged ones are passed over, and those over training that have fewer than two whole maps.
    """
    return [*list_atlases(workspace, run), *list_growths(workspace, run)]


def name_of(atlas: ShownAtlas) -> str:
    """The name of the folder of an atlas, by which a page chooses it."""
    return (atlas.folder if isinstance(atlas, GrowthAtlas) else atlas.path.parent).name


def record_of(atlas: ShownAtlas) -> Path:
    """The file that is written when an atlas is drawn, or goes on."""
    if isinstance(atlas, GrowthAtlas):
        return atlas.folder / GROWTH_RECORD
    return atlas.path.with_name(ATLAS_RECORD)


def find_shown(workspace: Workspace, run: str | None, name: str | None) -> ShownAtlas | None:
    """The atlas of a run that has a name; None where there is none."""
    atlases: Sequence[ShownAtlas] = list_shown(workspace, run) if run and name else []
    return next((atlas for atlas in atlases if name_of(atlas) == name), None)
