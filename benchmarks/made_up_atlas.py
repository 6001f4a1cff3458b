"""An atlas with the files of a drawn one, whose cities stand at places that are made up."""

import numpy as np

from studio.atlases.atlas_files import DrawnAtlas, atlas_folder, join_columns, save_atlas
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
