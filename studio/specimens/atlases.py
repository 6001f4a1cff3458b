"""Atlases: a map of many cities of one checkpoint, as a picture one can point at."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.files import create_whole
from latent.atlas import MIN_POINTS, draw_map
from latent.features import compute_features
from latent.placement import place_on_grid
from latent.points import sample_points
from renderers.frames.frame_renderer import FrameRenderer
from renderers.pictures.picture_file import save_picture
from studio.runs.selection import last_batch
from studio.specimens.points import SAMPLED, keep_points
from studio.workspace.devices import choose_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import OnProgress, Reporter

MOST_POINTS = 20_000
CHUNK = 64
LONGEST_SIDE_PX = 6_000
GAP_PX = 4
BACKGROUND = (250, 249, 246)


@dataclass(frozen=True)
class Atlas:
    """A drawn atlas.

    `cells` says in which row and column of the picture each specimen lies, `cell_px` how wide and
    high a cell is.
    """

    run: str
    batch: int
    space: str
    count: int
    neighbours_kept: float
    neighbours_by_chance: float
    cell_px: int
    labels: list[str]
    coordinates: list[list[float]]
    cells: list[list[int]]
    path: Path

    def specimen_at(self, x_px: int, y_px: int) -> str | None:
        """The label of the specimen under a point of the picture, if there is one."""
        wanted = [y_px // self.cell_px, x_px // self.cell_px]
        return next(
            (label for label, cell in zip(self.labels, self.cells, strict=True) if cell == wanted),
            None,
        )


def make_atlas(
    workspace: Workspace,
    run: str,
    batch: int | None,
    count: int,
    reporter: Reporter,
    space: str = "pictures",
    seed: int = 0,
) -> Atlas:
    """Draw latent points at a checkpoint, lay them out by likeness, and keep them as specimens.

    Args:
        batch: the last one by default.
        count: latent points `BATCH.0` to `BATCH.(count-1)`.
        space: see `latent.features`.

    Raises:
        StudioError: unknown run, batch or space, or a count out of range.
    """
    if not MIN_POINTS <= count <= MOST_POINTS:
        raise StudioError(
            f"An atlas of {count} cities is out of range: use {MIN_POINTS} to {MOST_POINTS:,}."
        )
    checkpoints = CheckpointIndex(workspace.runs)[run]
    batch = last_batch(checkpoints.batches, run) if batch is None else batch
    G = checkpoints.generator(batch, choose_device())
    points = sample_points(batch, range(count), checkpoints.spec.z_dim)
    keep_points(workspace, run, points, SAMPLED)
    z = torch.stack([point.z for point in points])
    with reporter.task("Looking at cities") as on_progress:
        features = compute_features(G, z, space, on_progress).numpy()
    reporter.say(f"Laying out {count:,} cities by their {space} ...")
    drawn = draw_map(features, seed)
    cells, side = place_on_grid(drawn.coordinates)
    cell_px = max(8, min(checkpoints.spec.image_size, LONGEST_SIDE_PX // side - GAP_PX)) + GAP_PX
    with reporter.task("Drawing the atlas") as on_progress:
        picture = _draw(G, z, cells, side, cell_px, on_progress)
    folder = workspace.render(f"{run}-atlas-{batch}-{space}")
    folder.mkdir(parents=True, exist_ok=True)
    atlas = Atlas(
        run,
        batch,
        space,
        count,
        round(drawn.neighbours_kept, 4),
        round(drawn.neighbours_by_chance, 4),
        cell_px,
        [point.label for point in points],
        drawn.coordinates.round(5).tolist(),
        cells.tolist(),
        save_picture(picture, folder / "atlas.png"),
    )
    document = {**asdict(atlas), "path": atlas.path.name}
    create_whole(folder / "atlas.json", json.dumps(document).encode())
    return atlas


def list_atlases(workspace: Workspace, run: str) -> list[Atlas]:
    """The atlases of a run, the newest checkpoint first."""
    found = [read_atlas(p) for p in workspace.renders.glob(f"{run}-atlas-*/atlas.json")]
    return sorted(
        (atlas for atlas in found if atlas.run == run), key=lambda a: a.batch, reverse=True
    )


def read_atlas(path: Path) -> Atlas:
    """An atlas from its `atlas.json`."""
    document = json.loads(path.read_bytes())
    return Atlas(**{**document, "path": path.parent / document["path"]})


def _draw(
    G: nn.Module,
    z: Tensor,
    cells: np.ndarray,
    side: int,
    cell_px: int,
    on_progress: OnProgress,
) -> np.ndarray:
    """Thumbnails in their cells: uint8 [side * cell_px, side * cell_px, 3]."""
    picture = np.full((side * cell_px, side * cell_px, 3), BACKGROUND, np.uint8)
    size_px = cell_px - GAP_PX
    renderer = FrameRenderer()
    for start in range(0, len(z), CHUNK):
        frames = renderer.render(G, z[start : start + CHUNK])
        for frame, (row, column) in zip(frames, cells[start : start + CHUNK], strict=True):
            y, x = row * cell_px + GAP_PX // 2, column * cell_px + GAP_PX // 2
            picture[y : y + size_px, x : x + size_px] = _shrink(frame, size_px)
        on_progress(min(start + CHUNK, len(z)), len(z))
    return picture


def _shrink(frame: np.ndarray, size_px: int) -> np.ndarray:
    if len(frame) == size_px:
        return frame
    return np.asarray(Image.fromarray(frame).resize((size_px, size_px), Image.Resampling.LANCZOS))
