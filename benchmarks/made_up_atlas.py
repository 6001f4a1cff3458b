"""Atlases with the files of drawn ones, whose cities stand at places that are made up."""

import numpy as np
import torch

from studio.atlases.atlas_files import DrawnAtlas, atlas_folder, join_columns, save_atlas
from studio.atlases.growth_files import (
    BatchMap,
    GrowthAtlas,
    growth_folder,
    save_map,
    save_points,
)
from studio.atlases.sprites import SpriteSheets, order_slots

SPRITE_PX = 32


def make_up_atlas(workspace, run, batch, count):
    """Save an atlas of `count` cities in clusters, each with a picture of one colour."""
    stream = np.random.default_rng(0)
    cluster = stream.integers(-1, 6, count)
    middles = stream.random((7, 2))
    places = middles[cluster] + stream.normal(0, 0.07, (count, 2))
    places = (places - places.min(0)) / np.ptp(places, axis=0)
    folder = atlas_folder(workspace, run, batch, "activations", None)
    folder.mkdir(parents=True)
    sheets, order = SpriteSheets(folder, SPRITE_PX), order_slots(places)
    shades = stream.integers(60, 220, (count, 1, 1, 3), np.uint8)
    for start in range(0, count, 1000):
        part = shades[start : start + 1000]
        sheets.add(np.broadcast_to(part, (len(part), SPRITE_PX, SPRITE_PX, 3)))
    sheets.close(order)
    side = int(np.ceil(count**0.5))
    cells = np.stack(np.divmod(np.arange(count), side), 1)
    atlas = DrawnAtlas(
        **{"run": run, "batch": batch, "space": "activations", "count": count},
        **{"prefix": f"{batch}.", "first": 0},
        **{"seed": 0, "around": None, "radius": 0.0, "cell_px": 12, "sprite_px": SPRITE_PX},
        **{"trust": None, "clusters": (), "path": folder / "atlas.png"},
    )
    atlas.path.write_bytes(b"")
    save_atlas(
        atlas,
        join_columns(places, cells, stream.random(count), stream.random(count), cluster, order),
    )
    return atlas


def make_up_growth(workspace, run, batches, count, z_dim=16, neighbours=4):
    """Save an atlas over training of `count` cities, which walk about at random."""
    stream = np.random.default_rng(0)
    places = stream.normal(0, 0.7, (count, 2))
    folder = growth_folder(workspace, run, "activations")
    maps = tuple(
        BatchMap(batch, count, 1.0, 0.3, 0.4, 0.5, None if batch == batches[0] else 0.5, None)
        for batch in batches
    )
    labels = tuple(f"{batches[-1]}.{number}" for number in range(count))
    known = (run, "activations", 0, labels, z_dim, neighbours, SPRITE_PX, maps, folder)
    atlas = GrowthAtlas(*known)
    for number, drawn in enumerate(maps):
        own = atlas.folder_of(drawn)
        own.mkdir(parents=True)
        near = (np.arange(count)[:, None] + np.arange(1, neighbours + 1)) % count
        save_map(own, places, stream.random(count), near)
        sheets, shade = SpriteSheets(own, SPRITE_PX), 60 + 150 * number // len(maps)
        picture = np.full((SPRITE_PX, SPRITE_PX, 3), shade, np.uint8)
        sheets.add(np.broadcast_to(picture, (count, *picture.shape)))
        sheets.close()
        places = places + stream.normal(0, 0.3, (count, 2))
    save_points(atlas, torch.from_numpy(stream.normal(size=(count, z_dim)).astype(np.float32)))
    return atlas
