"""Pictures of what is near: a row of neighbours for each point."""

from __future__ import annotations

from pathlib import Path

from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import Sheet
from studio.nearness.searches import Neighbours
from studio.runs.attribution import attribution_of
from studio.workspace.paths import Workspace

CELL_PX = 128


def draw_neighbours(workspace: Workspace, run: str, found: Neighbours, path: Path) -> None:
    """Draw each point with its neighbours at its right, nearest first, and their distances.

    Args:
        found: with its pictures.

    Raises:
        RenderError: the sheet is too large, or the file cannot be written.
    """
    columns = max(map(len, found.pictures))
    captions: list[str] = []
    for each, pictures in zip(found.found, found.pictures, strict=True):
        asked = each.point.split(" and ")[: len(pictures) - len(each.neighbours)]
        said = [*asked, *(f"{label} · {far:.3g}" for label, far in each.neighbours)]
        captions += said + [""] * (columns - len(said))
    sheet = Sheet(
        *(len(found.pictures), columns, CELL_PX, CELL_PX),
        captions=captions,
        title=f"{run} · nearest at batch {found.batch:,}, {found.metric} in {found.space}",
        footer=attribution_of(workspace, run),
    )
    for row, pictures in enumerate(found.pictures):
        for column, picture in enumerate(pictures):
            sheet.add(row * columns + column, picture)
    save_picture(sheet.picture, path)
