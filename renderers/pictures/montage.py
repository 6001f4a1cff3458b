"""Render points, checkpoints, or the cross of both, as one picture with labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from latent.points import LatentPoint
from renderers.destinations import require_destination
from renderers.errors import RenderError
from renderers.files import make_folder
from renderers.frames.frame_renderer import FrameRenderer
from renderers.frames.source import CheckpointSource, stream_exactly
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import Sheet, grid_columns
from renderers.progress import OnProgress, ignore_progress

SUFFIXES = (".png", ".jpg", ".jpeg")
CHUNK = 64  # So many pictures are rendered before they are put in their places.
MAX_STRIP = 8  # So many pictures stand in one row before a sheet has several rows.
# Where no scale is given, smaller pictures than these are enlarged, and larger ones made smaller.
READABLE_PX, MAX_CELL_PX = 128, 256
MAX_SCALE = 64
QUALITY = 95


@dataclass(frozen=True)
class Montage:
    """A finished sheet, and how many pictures it has down and across."""

    path: Path
    rows: int
    columns: int


def render_montage(
    source: CheckpointSource,
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    path: Path | str,
    *,
    columns: int | None = None,
    scale: int | None = None,
    title: str = "",
    footer: str = "",
    device: str = "cpu",
    on_progress: OnProgress = ignore_progress,
) -> Montage:
    """Draw each point at each batch, in one pass over the checkpoints: points down, batches across.

    Many points at one batch, and one point over batches, fill a sheet row by row instead.

    Args:
        path: FILE.png or FILE.jpg.
        batches: the checkpoints to draw.
        columns: columns of a sheet that is filled row by row; a strip or the squarest if None.
        scale: whole factor of enlargement; if None, small pictures are enlarged to be readable
            and large ones made smaller.
        title, footer: a line above and one below.
        on_progress: called with the number of pictures done and of all.

    Raises:
        RenderError: nothing to draw, an option out of range, a missing checkpoint, a sheet too
            large to be looked at, or a file that cannot be written.
    """
    path = _prepared(path)
    labels = lay_out([point.label for point in points], batches, columns)
    total = len(points) * len(batches)
    z = torch.stack([point.z for point in points])
    renderer, sheet = FrameRenderer(), None
    for j, (_, G) in enumerate(stream_exactly(source, batches, device)):
        for i, frame in enumerate(_render(renderer, G, z)):
            if sheet is None:
                height, width = cell_size(frame, scale)
                sheet = Sheet(
                    height_px=height, width_px=width, title=title, footer=footer, **labels
                )
            sheet.add(i * len(batches) + j, frame)
            on_progress(j * len(points) + i + 1, total)
    assert sheet is not None
    save_picture(sheet.picture, path, QUALITY)
    return Montage(path, labels["rows"], labels["columns"])


def render_rows(
    G: nn.Module,
    rows: Mapping[str, Tensor],
    columns: Sequence[str],
    path: Path | str,
    *,
    scale: int | None = None,
    title: str = "",
    footer: str = "",
    on_progress: OnProgress = ignore_progress,
) -> Montage:
    """Draw rows of latent points with one generator.

    Args:
        G: generator in eval mode.
        rows: float32 [C, z_dim] by the label of its row.
        columns: a label for each of the C columns.
        path, scale, title, footer, on_progress: as for `render_montage`.

    Raises:
        RenderError: as `render_montage`.
    """
    path, renderer, sheet = _prepared(path), FrameRenderer(), None
    size = len(rows), len(columns)
    for number, frame in enumerate(_render(renderer, G, torch.cat(list(rows.values())))):
        if sheet is None:
            height, width = cell_size(frame, scale)
            sheet = Sheet(
                *(*size, height, width),
                row_labels=list(rows),
                column_labels=columns,
                title=title,
                footer=footer,
            )
        sheet.add(number, frame)
        on_progress(number + 1, size[0] * size[1])
    if sheet is None:
        raise RenderError("Nothing to draw: no row of points was named.")
    save_picture(sheet.picture, path, QUALITY)
    return Montage(path, *size)


def _prepared(path: Path | str) -> Path:
    """The path of a sheet, whose folder is there."""
    require_destination(path := Path(path), SUFFIXES, overwrite=True)
    make_folder(path.parent)
    return path


def lay_out(points: Sequence[str], batches: Sequence[int], columns: int | None) -> dict[str, Any]:
    """Rows, columns and labels of a sheet of points and batches, as `Sheet` takes them.

    Args:
        columns: see `render_montage`.

    Raises:
        RenderError: there is nothing to draw, or columns have no place in such a sheet.
    """
    if not points or not batches:
        raise RenderError(f"Nothing to draw: {len(points)} points and {len(batches)} checkpoints.")
    numbers = [f"{batch:,}" for batch in batches]
    if len(points) > 1 and len(batches) > 1:
        if columns is not None:
            raise RenderError(
                "A number of columns needs a sheet of one point or of one batch; in one of "
                f"{len(points)} points at {len(batches)} batches, each batch has its own column."
            )
        size = {"rows": len(points), "columns": len(batches)}
        return {**size, "row_labels": points, "column_labels": numbers}
    captions = points if len(batches) == 1 else numbers
    count = len(captions)
    if columns is not None and columns < 1:
        raise RenderError(f"A sheet of {columns} columns has no room: use 1 or more.")
    columns = min(columns or (count if count <= MAX_STRIP else grid_columns(count)), count)
    return {"rows": math.ceil(count / columns), "columns": columns, "captions": captions}


def _render(renderer: FrameRenderer, G: nn.Module, z: Tensor) -> Iterator[np.ndarray]:
    for chunk in torch.split(z, CHUNK):
        yield from renderer.render(G, chunk)


def cell_size(frame: np.ndarray, scale: int | None) -> tuple[int, int]:
    """Height and width that pictures like this one have on a sheet.

    Args:
        frame: uint8 [H, W, 3].
        scale: see `render_montage`.

    Raises:
        RenderError: the scale is out of range.
    """
    height, width, _ = frame.shape
    if scale is None and height > MAX_CELL_PX:
        return MAX_CELL_PX, max(1, width * MAX_CELL_PX // height)
    scale = max(1, READABLE_PX // height) if scale is None else scale
    if not 1 <= scale <= MAX_SCALE:
        raise RenderError(f"Scale {scale} is out of range: use 1 to {MAX_SCALE}.")
    return height * scale, width * scale
