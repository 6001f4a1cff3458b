"""Atlases: maps of many latent points of one checkpoint, on which like lies near like."""

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
from renderers.frames.frame_renderer import FrameRenderer
from renderers.pictures.picture_file import save_picture
from renderers.progress import OnProgress
from studio.runs.selection import last_batch
from studio.specimens.points import SAMPLED, keep_points, points_at
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter

MAX_POINTS = 20_000
CHUNK = 64  # Pictures that are drawn in one forward pass.
MAX_SIDE_PX = 6_000  # The atlas is this wide and high at most, unless cells become too small.
MIN_CELL_PX = 8  # Pictures are at least this wide and high, without the gap.
GAP_PX = 4
BACKGROUND = (250, 249, 246)


@dataclass(frozen=True)
class DrawnAtlas:
    """An atlas that was drawn.

    Attributes:
        batch: the checkpoint that drew the pictures.
        space: what nearness was measured in, one of `latent.features.SPACES`.
        count: how many latent points it shows.
        neighbours_kept: share of each point's nearest neighbours that are near it on the map, 0..1.
        neighbours_by_chance: what that share is for a map without any order, 0..1.
        cell_px: width and height of a cell in the picture, its gap included.
        labels: labels of the points.
        coordinates: places on the map before they were moved into cells, [count][2].
        cells: row and column of each point in the picture, [count][2].
        path: the picture, a PNG.
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
    device: str | None = None,
) -> DrawnAtlas:
    """Draw latent points at a checkpoint, lay them out by likeness, and keep them as specimens.

    Args:
        batch: the checkpoint; the last one by default.
        count: MIN_POINTS to MAX_POINTS; the points are labelled `BATCH.0` to `BATCH.(count - 1)`.
        space: one of `latent.features.SPACES`.
        seed: the same seed lays the same points out in the same way.
        device: see `borrow_device`.

    Raises:
        StudioError: the count is out of range.
        CheckpointError: unknown run or batch.
        LatentError: unknown space, or a checkpoint whose pictures are not finite.
    """
    check_count(count)
    checkpoints = CheckpointIndex(workspace.runs)[run]
    batch = last_batch(checkpoints.batches, run) if batch is None else batch
    points = points_at(workspace, run, batch, range(count), checkpoints.spec.z_dim)
    z = torch.stack([point.z for point in points])
    with borrow_device(workspace, device, f"atlas of {run}") as chosen:
        G = checkpoints.generator(batch, chosen)
        with reporter.task("Looking at cities") as on_progress:
            features = compute_features(G, z, space, on_progress).numpy()
        keep_points(workspace, run, points, SAMPLED)
        reporter.say(f"Laying out {count:,} cities by their {space} ...")
        drawn = draw_map(features, seed)
        cells, side = place_on_grid(drawn.coordinates)
        cell_px = _choose_cell_px(checkpoints.spec.image_size, side)
        with reporter.task("Drawing the atlas") as on_progress:
            picture = _draw(G, z, cells, side, cell_px, on_progress)
    atlas = DrawnAtlas(
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
        workspace.render(f"{run}-atlas-{batch}-{space}") / "atlas.png",
    )
    _save(atlas, picture)
    return atlas


def check_count(count: int) -> None:
    """Refuse a number of points that no atlas can have.

    Raises:
        StudioError: the count is out of range.
    """
    if not MIN_POINTS <= count <= MAX_POINTS:
        raise StudioError(
            f"An atlas of {count} cities is out of range: use {MIN_POINTS} to {MAX_POINTS:,}."
        )


def list_atlases(workspace: Workspace, run: str) -> list[DrawnAtlas]:
    """List the atlases of a run, the newest checkpoint first."""
    paths = workspace.renders.glob(f"{run}-atlas-*/atlas.json")
    atlases = [atlas for atlas in map(read_atlas, paths) if atlas.run == run]
    return sorted(atlases, key=lambda atlas: atlas.batch, reverse=True)


def read_atlas(path: Path) -> DrawnAtlas:
    """Read an atlas from its `atlas.json`."""
    document = json.loads(path.read_bytes())
    return DrawnAtlas(**{**document, "path": path.parent / document["path"]})


def _save(atlas: DrawnAtlas, picture: np.ndarray) -> None:
    """Write the picture, and beside it `atlas.json`, which `read_atlas` reads."""
    atlas.path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(picture, atlas.path)
    document = {**asdict(atlas), "path": atlas.path.name}
    create_whole(atlas.path.with_name("atlas.json"), json.dumps(document).encode())


def _choose_cell_px(image_size: int, side: int) -> int:
    """Width and height of a cell in a square of side * side cells, its gap included."""
    room_px = MAX_SIDE_PX // side - GAP_PX
    return max(MIN_CELL_PX, min(image_size, room_px)) + GAP_PX


def _draw(
    G: nn.Module,
    z: Tensor,
    cells: np.ndarray,
    side: int,
    cell_px: int,
    on_progress: OnProgress,
) -> np.ndarray:
    """Draw each point into its cell.

    Args:
        z: float32 [N, z_dim].
        cells: int [N, 2], row and column of each point.
        side: cells in a row and in a column.

    Returns:
        uint8 [side * cell_px, side * cell_px, 3].
    """
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
    """A square frame, uint8 [S, S, 3], scaled to [size_px, size_px, 3]."""
    if len(frame) == size_px:
        return frame
    return np.asarray(Image.fromarray(frame).resize((size_px, size_px), Image.Resampling.LANCZOS))
