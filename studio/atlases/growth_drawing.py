"""Draw an atlas over training: a map after another, each beginning where the one before ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex
from checkpoints_index.run import CheckpointRun
from latent.maps.additions import place_new_points
from latent.maps.growth import NEIGHBOURS, GrowthMap, describe_map, draw_next, near_of
from latent.nearness.agreement import measure_agreement
from latent.nearness.features import Z_SPACE
from latent.points import LatentPoint
from renderers.files import locked
from renderers.jobs.workers import render_parts
from renderers.plan.pacing import measure_change, spread, spread_change
from renderers.progress import ignore_progress
from studio.atlases.atlas_drawing import check_count, check_enough
from studio.atlases.growth_files import (
    BatchMap,
    GrowthAtlas,
    growth_folder,
    read_growth,
    save_growth,
    save_map,
    save_points,
)
from studio.atlases.sprites import SPRITE_PX, SpriteSheets
from studio.atlases.viewing import describe_cities, look_at_cities
from studio.runs.selection import choose_batches, last_batch
from studio.specimens.points import points_at, resolve_points
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter

MAX_POINTS = 20_000  # Each is looked at twice for each map, and its neighbours are kept.
LOOKED_AT = 16  # So many checkpoints for each map are compared to find where pictures change.


@dataclass(frozen=True)
class GrowthRequest:
    """What is asked for.

    Attributes:
        count: points that are drawn for it; None for those that it has.
        further: points beside these, as `resolve_points` takes them.
        batches: as `choose_batches` takes them; each of a list has a map, of a range some have.
        maps: how many maps, where batches are not listed.
        anew: draw everything again, as if nothing was there.
    """

    run: str
    space: str
    count: int | None = None
    further: tuple[str, ...] = ()
    batches: str = ""
    maps: int = 32
    seed: int = 0
    anew: bool = False


@dataclass(frozen=True)
class DrawnGrowth:
    """An atlas over training after it was drawn or went on.

    Attributes:
        new_maps, new_points: how many were not there before.
        shifted: the longest way of a point that was there on a map that was there, in the units
            of the maps.
    """

    atlas: GrowthAtlas
    new_maps: int
    new_points: int
    shifted: float


def check_growth(workspace: Workspace, asked: GrowthRequest) -> None:
    """Refuse what cannot be drawn.

    Raises:
        StudioError: or an error of the libraries: unknown run, batches or points, a count out of
            range, or an atlas that is there and was drawn otherwise.
    """
    checkpoints = CheckpointIndex(workspace.runs)[asked.run]
    choose_batches(checkpoints.batches, asked.batches, asked.run)
    _open_atlas(workspace, checkpoints, asked)


def grow_atlas(
    workspace: Workspace, asked: GrowthRequest, reporter: Reporter, device: str | None = None
) -> DrawnGrowth:
    """Draw an atlas over training, or go on with the one that is there.

    Whatever is on it stays where it is: further batches get maps of their own, and further points
    are placed among those that they are like. Killed, the same call goes on after the last map.

    Args:
        device: see `borrow_device`.

    Raises:
        StudioError: or an error of the libraries, as `check_growth`.
        LatentError: a space that the generator does not have, or pictures that are not finite.
    """
    checkpoints = CheckpointIndex(workspace.runs)[asked.run]
    with locked(growth_folder(workspace, asked.run, asked.space)):
        former, points = _open_atlas(workspace, checkpoints, asked)
        begun = [(drawn, former.read_places(drawn)) for drawn in former.maps]
        labels = tuple(point.label for point in points)
        atlas = replace(former, labels=labels)
        z = torch.stack([point.z for point in points])
        if atlas != former or not former.maps:
            save_points(atlas, z)
        with borrow_device(workspace, device, f"atlas over training of {asked.run}") as chosen:
            engine = partial(render_parts, devices=[chosen])
            with (
                reporter.task("Looking for where pictures change") as on_progress,
                TemporaryDirectory() as notes,
            ):
                measure = partial(
                    measure_change,
                    *(checkpoints, points),
                    folder=Path(notes),
                    engine=engine,
                    on_progress=on_progress,
                )
                batches = choose_maps(checkpoints.batches, former.batches, asked, measure)
            atlas = _draw_maps(checkpoints, atlas, z, batches, chosen, reporter)
    shifted = [_measure_shift(atlas, drawn, places) for drawn, places in begun]
    new_points = len(labels) - len(former.labels) if begun else len(labels)
    return DrawnGrowth(atlas, len(atlas.maps) - len(begun), new_points, max(shifted, default=0.0))


def choose_maps(
    kept: Sequence[int],
    drawn: Sequence[int],
    asked: GrowthRequest,
    measure: Callable[[list[int]], np.ndarray],
) -> list[int]:
    """The batches that have a map, or are to have one, ascending.

    Args:
        kept: the batches that have a checkpoint.
        drawn: the batches that have a map.
        measure: how much pictures change from each of some batches to the next, float [batches].

    Raises:
        StudioError: see `choose_batches`, or a batch that has a map is gone.
    """
    chosen = choose_batches(kept, asked.batches, asked.run)
    if lost := sorted({*drawn} - {*kept}):
        raise StudioError(
            f"The checkpoint of batch {lost[0]:,} has a map and is gone. Draw all maps again: "
            f"studio atlas-growth {asked.run} --space {asked.space} --anew"
        )
    if asked.batches.strip() and ":" not in asked.batches:
        return sorted({*drawn, *chosen})
    later = [batch for batch in chosen if not drawn or batch > drawn[-1]]
    wanted = asked.maps if not drawn else max(0, asked.maps - len(drawn))
    if not later or len(later) <= wanted:
        return sorted({*drawn, *later})
    looked = [later[i] for i in _thin(len(later), LOOKED_AT * asked.maps)]
    if not drawn:
        return [looked[i] for i in sorted({*spread_change(measure(looked), wanted)})]
    return sorted({*drawn, *_go_on(drawn, looked, measure)})


def _go_on(
    drawn: Sequence[int], later: Sequence[int], measure: Callable[[list[int]], np.ndarray]
) -> list[int]:
    """Of later batches so many that from map to map as much changes as before."""
    change = np.cumsum(measure([*drawn, *later]))
    before = change[len(drawn) - 1]
    step = before / max(1, len(drawn) - 1) or 1.0
    count = max(1, min(len(later), round(float(change[-1] - before) / step)))
    places = spread_change(np.diff(change[len(drawn) - 1 :], prepend=before), count + 1)
    return [later[i - 1] for i in sorted({*places}) if i > 0]


def _thin(count: int, most: int) -> list[int]:
    return sorted({int(i) for i in spread(count, min(count, most))})


def _open_atlas(
    workspace: Workspace, checkpoints: CheckpointRun, asked: GrowthRequest
) -> tuple[GrowthAtlas, list[LatentPoint]]:
    """The atlas that is there, or an empty one; and all points that it is to have."""
    folder = growth_folder(workspace, asked.run, asked.space)
    there = None if asked.anew else read_growth(folder)
    z_dim = checkpoints.spec.z_dim
    named = resolve_points(workspace, asked.run, asked.further, z_dim) if asked.further else []
    if there is None:
        count = 500 if asked.count is None else asked.count
        check_count(count)
        if asked.space == Z_SPACE:
            checkpoints.spec.require_drawn(asked.run)
        points = points_at(
            *(workspace, asked.run, last_batch(checkpoints.batches, asked.run), range(count)), z_dim
        )
        check_enough(asked.run, points)
        sprite_px = min(SPRITE_PX, checkpoints.spec.image_size)
        neighbours = min(NEIGHBOURS, len(points) - 2)
        there = GrowthAtlas(
            *(asked.run, asked.space, asked.seed, (), z_dim, neighbours, sprite_px, (), folder)
        )
    else:
        points = _further_points(workspace, there, asked)
    have = {point.label for point in points}
    points += [point for point in named if point.label not in have]
    if len(points) > MAX_POINTS:
        raise StudioError(
            f"{len(points):,} points are out of range for maps over training: use up to "
            f"{MAX_POINTS:,}."
        )
    return there, points


def _further_points(
    workspace: Workspace, there: GrowthAtlas, asked: GrowthRequest
) -> list[LatentPoint]:
    """The points of an atlas, and drawn ones behind them where more are asked for."""
    if asked.seed != there.seed:
        raise StudioError(
            f"The maps of run '{asked.run}' by {asked.space} were drawn with seed {there.seed}, "
            f"not {asked.seed}. Draw them again: --anew"
        )
    points = [LatentPoint(label, z) for label, z in zip(there.labels, there.read_z(), strict=True)]
    first = there.labels[0].partition(".")[0]
    own = [label for label in there.labels if label.partition(".")[0] == first]
    if asked.count is None or asked.count == len(own):
        return points
    if asked.count < len(own):
        raise StudioError(
            f"The maps of run '{asked.run}' by {asked.space} have {len(own):,} drawn cities, and "
            f"{asked.count:,} were asked for. Draw them again with fewer: --anew"
        )
    drawn = points_at(workspace, there.run, int(first), range(asked.count), there.z_dim)
    have = {*there.labels}
    return points + [point for point in drawn if point.label not in have]


def _draw_maps(
    checkpoints: CheckpointRun,
    atlas: GrowthAtlas,
    z: Tensor,
    batches: Sequence[int],
    device: str,
    reporter: Reporter,
) -> GrowthAtlas:
    """Draw the maps that lack, and place the points that lack on those that are there."""
    whole = {drawn.batch for drawn in atlas.maps if drawn.count == len(z)}
    lacking = [batch for batch in batches if batch not in whole]
    kept = checkpoints.batches
    before = {batch: kept[kept.index(batch) - 1] for batch in lacking if batch != kept[0]}
    wanted = sorted({*lacking, *before.values()})
    with reporter.task("Drawing maps") as on_progress:
        on_progress(len(whole), len(batches))
        near: dict[int, np.ndarray] = {}
        for batch, G in checkpoints.stream(wanted, device=device):
            if batch not in lacking:
                near = {batch: near_of(describe_cities(G, z, atlas.space)[0])}
                continue
            since = before.get(batch)
            earlier = None if since is None else (since, near[since])
            drawn, found = _draw_map(G, atlas, z, batch, earlier)
            near = {batch: found}
            others = [each for each in atlas.maps if each.batch != batch]
            maps = sorted([*others, drawn], key=lambda each: each.batch)
            atlas = replace(atlas, maps=tuple(maps))
            save_growth(atlas)
            whole.add(batch)
            on_progress(len(whole), len(batches), f"batch {batch:,}")
    return atlas


def _draw_map(
    G: nn.Module,
    atlas: GrowthAtlas,
    z: Tensor,
    batch: int,
    earlier: tuple[int, np.ndarray] | None,
) -> tuple[BatchMap, np.ndarray]:
    """Draw and write one map, or place further points on it.

    Args:
        earlier: the checkpoint before, and the nearest of each point there.

    Returns:
        The map, and the nearest of each point.
    """
    there = next((drawn for drawn in atlas.maps if drawn.batch == batch), None)
    # The folder is named by the map's batch and count alone.
    own = atlas.folder_of(BatchMap(batch, len(z), 0, 0, 0, 0, None, None))
    own.mkdir(parents=True, exist_ok=True)
    sheets = SpriteSheets(own, atlas.sprite_px)
    seen = look_at_cities(G, z, atlas.space, atlas.sprite_px, sheets, ignore_progress)
    sheets.close()
    drawn = _lay_out(atlas, seen.features, batch, there)
    save_map(own, drawn.coordinates, drawn.faithful_each, drawn.neighbours[:, : atlas.neighbours])
    stable = earlier and measure_agreement(earlier[1], drawn.neighbours).shared
    new = BatchMap(
        batch=batch,
        count=len(z),
        scale=drawn.scale,
        moved=round(drawn.moved, 5),
        faithful=round(drawn.faithful, 4),
        kept=round(drawn.kept, 4),
        stable=None if stable is None else round(stable, 4),
        stable_since=earlier and earlier[0],
        placed=0 if there is None else there.placed + len(z) - there.count,
    )
    return new, drawn.neighbours


def _lay_out(
    atlas: GrowthAtlas, features: np.ndarray, batch: int, there: BatchMap | None
) -> GrowthMap:
    """A map of all points: a new one, or one on which those that are there stay."""
    if there is not None:
        places = atlas.read_places(there)[:, :2]
        new = place_new_points(features[len(places) :], features[: len(places)], places)
        return describe_map(features, np.concatenate([places, new]), there.scale, there.moved)
    # A map before the first one begins where that one ended.
    drawn = [each for each in atlas.maps if each.batch < batch] or list(atlas.maps[:1])[::-1]
    if not drawn:
        return draw_next(features, None, atlas.seed)
    start = atlas.read_places(drawn[-1])[:, :2], drawn[-1].scale
    return draw_next(features, start, atlas.seed)


def _measure_shift(atlas: GrowthAtlas, former: BatchMap, places: np.ndarray) -> float:
    """The longest way of a point of a map since it was there, float32 [N, 3]."""
    now = next(drawn for drawn in atlas.maps if drawn.batch == former.batch)
    way = atlas.read_places(now)[: former.count, :2] - places[:, :2]
    return float(np.linalg.norm(way, axis=1).max())
