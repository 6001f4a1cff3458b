"""Pictures of an atlas over training: maps side by side, and how stable neighbourhoods are."""

from __future__ import annotations

import math

import numpy as np

from latent.maps.placement import spread_apart
from renderers.pictures.charts import Panel, draw_charts
from renderers.pictures.picture_file import save_picture
from renderers.pictures.scatter import scatter
from renderers.pictures.sheets import INK, Sheet
from renderers.plan.pacing import spread
from studio.atlases.growth_files import STABILITY, STRIP, GrowthAtlas, save_growth
from studio.atlases.sprites import read_sprites, shrink
from studio.runs.attribution import attribution_of
from studio.runs.metrics import read_metrics
from studio.workspace.paths import Workspace

SHOWN_MAPS, COLUMNS, MAP_PX = 8, 4, 480  # Of the picture with maps side by side,
SHOWN_CITIES = 200  # and so many of the cities, the first ones, so that one sees what they are.
COVERED = 0.32  # Pictures cover so much of a frame.
GAP = 1.14  # Middles of pictures are so many widths apart at least.
MARGIN = 0.03  # Of a frame's width.
ATTEMPTS = 3  # To fit pictures that are pushed apart into a frame.
LOSS = "g"


def draw_growth_pictures(workspace: Workspace, atlas: GrowthAtlas) -> None:
    """Write the maps side by side, and the curve of stability beside the loss.

    Raises:
        RenderError: a file cannot be written.
    """
    owed = attribution_of(workspace, atlas.run)
    save_growth(atlas)  # Where the process is killed now, nobody takes new pictures for damaged.
    save_picture(_draw_strip(atlas, owed), atlas.folder / STRIP)
    save_picture(_draw_stability(workspace, atlas, owed), atlas.folder / STABILITY)
    save_growth(atlas, [STRIP, STABILITY])


def picture_size(count: int, size_px: int, image_size: int) -> int:
    """The width of each of so many pictures in a frame: neither crowded nor enlarged."""
    return max(4, min(image_size, int(size_px * math.sqrt(COVERED / count))))


def lay_in_frames(places: np.ndarray, size_px: int, picture_px: int) -> np.ndarray:
    """Where the middles of pictures lie in frames, so that hardly any hides another.

    Pictures that would overlap are pushed apart, on each map from where they were pushed to on the
    one before, so that they move as smoothly as the maps do.

    Args:
        places: float32 [maps, N, 2] in the frame of the maps, y upwards.

    Returns:
        float32 [maps, N, 2] in pixels, y downwards.
    """
    low, high = places.min((0, 1)), places.max((0, 1))
    reach = float((high - low).max() / 2) or 1.0
    homes = (places - (low + high) / 2) / reach * [1, -1]  # The farthest are 1 from the middle.
    room = size_px * (0.5 - MARGIN) - picture_px / 2
    scale = room
    for _ in range(ATTEMPTS):
        laid = _push_apart(homes * scale, GAP * picture_px)
        reached = float(np.abs(laid).max())
        if reached <= room:
            break
        scale *= 0.97 * room / reached  # Those that are pushed out of the frame need more room.
    return np.asarray(size_px / 2 + laid * min(1.0, room / reached), np.float32)


def _push_apart(homes: np.ndarray, gap_px: float) -> np.ndarray:
    """Places of all maps, each beginning with half of the way by which the one before pushed."""
    pushed, laid = np.zeros_like(homes[0]), []
    for home in homes:
        apart = spread_apart(home + pushed, gap_px)
        pushed = (apart - home) / 2  # Half of it stays, so that a point that has room comes back.
        laid.append(apart)
    return np.asarray(laid)


def _draw_strip(atlas: GrowthAtlas, footer: str) -> np.ndarray:
    """Some of the maps, evenly chosen, uint8 [height, width, 3]."""
    count = len(atlas.maps)
    shown = [atlas.maps[i] for i in sorted({*spread(count, min(count, SHOWN_MAPS))})]
    cities = min(SHOWN_CITIES, len(atlas.labels))
    picture_px = picture_size(cities, MAP_PX, atlas.sprite_px)
    places = np.stack([atlas.read_places(drawn)[:cities, :2] for drawn in shown])
    laid = lay_in_frames(places, MAP_PX, picture_px)
    columns = min(COLUMNS, len(shown))
    sheet = Sheet(
        *(-(-len(shown) // columns), columns, MAP_PX, MAP_PX),
        captions=[f"batch {drawn.batch:,}" for drawn in shown],
        title=f"{atlas.run} · {cities:,} of {len(atlas.labels):,} cities by {atlas.space}",
        footer=footer,
    )
    for number, (drawn, middles) in enumerate(zip(shown, laid, strict=True)):
        folder = atlas.folder_of(drawn)
        drawn_sprites = read_sprites(folder, atlas.sprite_px, np.arange(cities))
        sprites = [shrink(sprite, picture_px) for sprite in drawn_sprites]
        sheet.add(number, scatter(np.stack(sprites), middles, MAP_PX, INK))
    return sheet.picture


def _draw_stability(workspace: Workspace, atlas: GrowthAtlas, footer: str) -> np.ndarray:
    """How many neighbours stay from one checkpoint to the next, above the loss of G."""
    batches = np.array(atlas.batches, float)
    stable = np.array([np.nan if m.stable is None else 100 * m.stable for m in atlas.maps])
    logged = [e for e in read_metrics(workspace.metrics(atlas.run)) if LOSS in e]
    span = float(batches[0]), float(batches[-1])
    losses = [(e["batch"], e[LOSS]) for e in logged if span[0] <= e["batch"] <= span[1]]
    x, y = np.array(losses, float).reshape(-1, 2).T
    panels = [
        Panel(
            f"Of the {atlas.neighbours} nearest by {atlas.space}, the share that the checkpoint "
            "before had, too",
            *(batches, stable, "{:.0f} %", True),
        ),
        Panel("Loss of G, smoothed", x, _smooth(y)),
    ]
    return draw_charts(panels, span, f"{atlas.run} · neighbourhoods over training", footer)


def _smooth(values: np.ndarray) -> np.ndarray:
    """A centred mean over a twentieth of the values."""
    width = max(1, len(values) // 20)
    if width < 2:
        return values
    weights = np.convolve(np.ones_like(values), np.ones(width), "same")
    return np.convolve(values, np.ones(width), "same") / weights
