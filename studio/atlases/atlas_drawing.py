"""Draw an atlas: look at the cities once, lay them out by likeness, put their pictures there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.run import CheckpointRun
from checkpoints_index.storage.files import create_whole
from latent.maps.atlas import MIN_POINTS, AtlasMap, draw_map
from latent.maps.clusters import Cluster, find_clusters, rank_density
from latent.maps.directions import first_view
from latent.maps.neighbourhood import Neighbourhood
from latent.maps.placement import grid_side, place_on_grid
from latent.nearness.features import Z_SPACE
from latent.points import LatentPoint, parse_label, parse_seed
from renderers.pictures.picture_file import save_picture
from studio.atlases.atlas_files import (
    FIRST_VIEW,
    GAP_PX,
    PICTURE,
    AtlasCluster,
    AtlasTrait,
    AtlasTrust,
    DrawnAtlas,
    atlas_folder,
    join_columns,
    save_atlas,
    save_space,
)
from studio.atlases.cluster_traits import find_shared
from studio.atlases.sprites import SPRITE_PX, SpriteSheets, order_slots
from studio.atlases.viewing import SeenCities, look_at_cities
from studio.runs.selection import last_batch
from studio.specimens.drawing_rules import DrawingRule
from studio.specimens.own_points import keep_own_points
from studio.specimens.point_files import ForeignPoint
from studio.specimens.points import points_at, resolve_point
from studio.specimens.specimens import seen_at
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.names import MAX_SHOWN
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter

MAX_SIDE_PX = 6_000  # The atlas is this wide and high at most, unless cells become too small.
MIN_CELL_PX = 8  # Pictures are at least this wide and high, without the gap.
BACKGROUND = (250, 249, 246)


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
    """Draw latent points at a checkpoint, and lay them out by likeness.

    None of them becomes a specimen by that; each has a label under which it is found again.

    Args:
        batch: the checkpoint; the last one by default.
        count: MIN_POINTS to MAX_SHOWN; the points are labelled `BATCH.0` to `BATCH.(count - 1)`.
        space: one of `latent.nearness.features.SPACES`.
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
    if space == Z_SPACE:
        checkpoints.spec.require_drawn(run)
    points = points_at(workspace, run, batch, range(count), checkpoints.spec.z_dim)
    check_enough(run, points)
    request = AtlasRequest(batch, points, space, seed)
    return draw_atlas(workspace, checkpoints, request, reporter, device)


def make_neighbourhood(
    workspace: Workspace,
    run: str,
    batch: int | None,
    count: int,
    reporter: Reporter,
    space: str,
    around: str,
    radius: float,
    seed: int = 0,
    device: str | None = None,
) -> DrawnAtlas:
    """Draw the neighbourhood of one city as an atlas of its own.

    None of its points becomes a specimen by that; each has a label that says how it is drawn.

    Args:
        batch: the checkpoint; by default the one in the city's label, else the last one.
        around: the city, as `resolve_point` takes it; it is the first point.
        radius: see `latent.maps.neighbourhood.points_around`.

    Raises:
        StudioError: the count is out of range, or there is no such city.
        CheckpointError: unknown run or batch.
        LatentError: the radius is out of range, or as `make_atlas`.
    """
    check_count(count)
    checkpoints = CheckpointIndex(workspace.runs)[run]
    centre = _require_label(workspace, checkpoints, resolve_point(workspace, run, around), batch)
    batch = seen_at(checkpoints, centre.label) if batch is None else batch
    drawn = Neighbourhood(centre.label, count, round(radius, 6), seed)
    if not 0 < drawn.radius <= 1:
        raise StudioError(f"A radius of {radius:g} is out of range: use 0.000001 to 1.")
    rule = DrawingRule(workspace, run, checkpoints.spec.z_dim)
    points = [rule.draw_around(centre.z, drawn, number) for number in range(count)]
    request = AtlasRequest(batch, points, space, seed, centre.label, radius)
    return draw_atlas(workspace, checkpoints, request, reporter, device)


def _require_label(
    workspace: Workspace, checkpoints: CheckpointRun, point: LatentPoint, batch: int | None
) -> LatentPoint:
    """The point with a label that brings it back; a foreign one is kept and gets one."""
    if parse_seed(point.label) is not None or parse_label(point.label) is not None:
        with suppress(StudioError):  # A picture may name a batch that the run does not have.
            if torch.equal(resolve_point(workspace, checkpoints.name, point.label).z, point.z):
                return point
    at = seen_at(checkpoints, point.label) if batch is None else batch
    own = [ForeignPoint(None, point.z.numpy())]
    return keep_own_points(workspace, checkpoints.name, own, at)[0]


def check_count(count: int) -> None:
    """Refuse a number of points that no atlas can have.

    Raises:
        StudioError: the count is out of range.
    """
    if not MIN_POINTS <= count <= MAX_SHOWN:
        raise StudioError(
            f"An atlas of {count} cities is out of range: use {MIN_POINTS} to {MAX_SHOWN:,}."
        )


def check_enough(run: str, points: Sequence[LatentPoint]) -> None:
    """Refuse a run that has too few points, since none can be drawn for it.

    Raises:
        StudioError: the text says how it gets more.
    """
    if len(points) < MIN_POINTS:
        raise StudioError(
            f"An atlas needs {MIN_POINTS} points, run '{run}' has {len(points)}, and more cannot "
            "be drawn, since they are pictures. While it trains it takes more of them: "
            f"studio set {run} fixed_points={MIN_POINTS}"
        )


@dataclass(frozen=True)
class AtlasRequest:
    """What is to be drawn.

    Args:
        points: with labels that end in ascending numbers without a gap.
        around, radius: see `DrawnAtlas`.
    """

    batch: int
    points: list[LatentPoint]
    space: str
    seed: int = 0
    around: str | None = None
    radius: float = 0.0


def draw_atlas(
    workspace: Workspace,
    checkpoints: CheckpointRun,
    request: AtlasRequest,
    reporter: Reporter,
    device: str | None = None,
) -> DrawnAtlas:
    """Draw the atlas of given points.

    While it is laid out, `first-view.bin` has the map of the two main directions.

    Raises:
        LatentError: unknown space, or a checkpoint whose pictures are not finite.
    """
    run, count = checkpoints.name, len(request.points)
    folder = atlas_folder(workspace, run, request.batch, request.space, request.around)
    folder.mkdir(parents=True, exist_ok=True)
    size_px = _choose_size_px(checkpoints.spec.image_size, grid_side(count))
    sprite_px = min(SPRITE_PX, checkpoints.spec.image_size)
    z = torch.stack([point.z for point in request.points])
    sheets = SpriteSheets(folder, sprite_px)
    with (
        borrow_device(workspace, device, f"atlas of {run}") as chosen,
        reporter.task("Looking at cities") as on_progress,
    ):
        G = checkpoints.generator(request.batch, chosen)
        seen = look_at_cities(G, z, request.space, size_px, sheets, on_progress)
    create_whole(folder / FIRST_VIEW, first_view(seen.features).astype("<f4").tobytes())
    reporter.announce(f"Laying out {count:,} cities by their {request.space} ...")
    drawn = draw_map(seen.features, request.seed)
    order = order_slots(drawn.coordinates)
    sheets.close(order)
    cells, side = place_on_grid(drawn.coordinates)
    save_picture(_arrange(seen.thumbnails, cells, side), folder / PICTURE)
    members, clusters = find_clusters(drawn.coordinates, drawn.features, drawn.graph)
    labels = [point.label for point in request.points]
    shared = find_shared(workspace, run, labels, members, seen.thumbnails)
    first = labels[0][len(labels[0].rstrip("0123456789")) :]
    atlas = DrawnAtlas(
        run=run,
        batch=request.batch,
        space=request.space,
        count=count,
        prefix=labels[0].removesuffix(first),
        first=int(first),
        seed=request.seed,
        around=request.around,
        radius=request.radius,
        cell_px=size_px + GAP_PX,
        sprite_px=sprite_px,
        trust=_record_trust(drawn, seen),
        clusters=tuple(
            _record_cluster(cluster, labels, traits)
            for cluster, traits in zip(clusters, shared, strict=True)
        ),
        path=folder / PICTURE,
    )
    save_space(folder, seen.features, seen.directions)
    density = rank_density(drawn.graph)
    known = drawn.faithful_each, density, members, order
    save_atlas(atlas, join_columns(drawn.coordinates, cells, *known))
    (folder / FIRST_VIEW).unlink(missing_ok=True)
    return atlas


def _record_trust(drawn: AtlasMap, seen: SeenCities) -> AtlasTrust:
    structure = drawn.structure_found
    return AtlasTrust(
        faithful=round(drawn.faithful, 4),
        trustworthiness=round(drawn.trustworthiness, 4),
        continuity=round(drawn.continuity, 4),
        measured=drawn.agreement.measured,
        structure=drawn.structure,
        structure_p=round(drawn.structure_p, 4),
        structure_effect=round(structure.effect, 2),
        nearness=round(structure.nearness, 4),
        dimension=round(structure.dimension, 2),
        reference_dimension=round(structure.reference_dimension, 2),
        repeatable=round(drawn.repeatable, 4),
        variance_kept=round(seen.share, 4),
        verdict=drawn.verdict,
    )


def _record_cluster(
    cluster: Cluster, labels: Sequence[str], shared: Sequence[AtlasTrait]
) -> AtlasCluster:
    representative = labels[cluster.representative]
    kept, by_chance = round(cluster.kept, 4), round(cluster.by_chance, 4)
    return AtlasCluster(cluster.count, representative, kept, by_chance, tuple(shared))


def _choose_size_px(image_size: int, side: int) -> int:
    """Width and height of a picture in a square of side * side cells."""
    return max(MIN_CELL_PX, min(image_size, MAX_SIDE_PX // side - GAP_PX))


def _arrange(thumbnails: np.ndarray, cells: np.ndarray, side: int) -> np.ndarray:
    """Put each thumbnail into its cell.

    Args:
        thumbnails: uint8 [N, S, S, 3].
        cells: int [N, 2], row and column of each point.
        side: cells in a row and in a column.

    Returns:
        uint8 [side * (S + GAP_PX), side * (S + GAP_PX), 3].
    """
    size_px = thumbnails.shape[1]
    cell_px = size_px + GAP_PX
    picture = np.full((side * cell_px, side * cell_px, 3), BACKGROUND, np.uint8)
    for thumbnail, (row, column) in zip(thumbnails, cells, strict=True):
        y, x = row * cell_px + GAP_PX // 2, column * cell_px + GAP_PX // 2
        picture[y : y + size_px, x : x + size_px] = thumbnail
    return picture
