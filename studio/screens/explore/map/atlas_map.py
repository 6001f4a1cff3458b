"""The map of an atlas on the page, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import gradio as gr
import numpy as np
from markupsafe import Markup

from studio.atlases.atlas_files import COLUMNS, FIRST_VIEW, POINTS, DrawnAtlas
from studio.atlases.growth_files import COLUMNS as GROWTH_COLUMNS
from studio.atlases.growth_files import NEAR, PLACES, GrowthAtlas
from studio.atlases.sprites import sheet_paths
from studio.screens.parts.app_context import EVENT_DEFAULTS
from studio.screens.parts.assets import read_asset
from studio.screens.parts.browser.address import Address
from studio.screens.parts.browser.news import own_event
from studio.screens.parts.markup import file_url
from studio.workspace.errors import EXPECTED_ERRORS

SCRIPTS = (
    *("points.js", "splats.js", "sprites.js", "camera.js", "growth.js", "hands.js"),
    *("view.js", "start.js"),
)
MEASURED = 12  # So many maps over training are looked at for how far out cities lie, and when
SETTLED = 0.15  # they came, for good, this close to where they lie at last, of that reach.
# What the page is to show is kept where the map finds it, however late its script begins.
TELL = """(value) => {
  (window.studioAtlas ??= {}).NAME = value;
  window.dispatchEvent(new Event('studio-atlas-NAME'));
}"""


class CityMarks(NamedTuple):
    """What people said of cities that are on a map.

    Attributes:
        starred: labels of cities that are framed.
        tags: the labels of the cities with each tag, the commonest tags first.
    """

    starred: Sequence[str] = ()
    tags: Mapping[str, Sequence[str]] = {}

    def describe(self, labels: Sequence[str]) -> dict[str, Any]:
        """The marks of the cities of a map, by their numbers, as plain values for JSON."""
        known = {label: number for number, label in enumerate(labels)}
        tags = (
            [tag, [known[label] for label in tagged if label in known]]
            for tag, tagged in self.tags.items()
        )
        return {
            "starred": sorted(known[label] for label in self.starred if label in known),
            "tags": [[tag, numbers] for tag, numbers in tags if numbers],
        }


NO_MARKS = CityMarks()


class MapOnPage:
    """The map, which shows what lies in its two hidden values.

    Attributes:
        place: the map; pressing a city is the action `choose` with its `label`, a line around
            several `select` with their `labels`, one blank between two.
        shown: the value of `describe_atlas`, or None.
        near: the chosen city and its neighbours, `{"label": ..., "neighbours": [...]}`, or None.
        wanted: where an address says that one looks, as `stood` is, or None.
        stood: the state of where one looks, `{"zoom": [x, y, enlarged], "moment": batch}`, without
            what goes without saying.
    """

    def __init__(self) -> None:
        self.place = gr.HTML(
            Markup(read_asset(__package__, "map.html")),  # A file of our own.
            js_on_load="\n".join(read_asset(__package__, name) for name in SCRIPTS),
            elem_id="atlas-map",
            apply_default_css=False,
        )
        self.shown, self.near = gr.JSON(visible="hidden"), gr.JSON(visible="hidden")
        self.wanted, self.stood = gr.JSON(visible="hidden"), gr.State({})
        gr.on([own_event(self.place, "stand")], _read_stand, None, self.stood, **EVENT_DEFAULTS)
        self.wanted.change(lambda place: place or {}, self.wanted, self.stood, **EVENT_DEFAULTS)
        told = (("shown", self.shown), ("near", self.near), ("place", self.wanted))
        for name, value in told:
            value.change(None, value, None, js=TELL.replace("NAME", name), **EVENT_DEFAULTS)


def _read_stand(event: gr.EventData) -> Any:
    """Where a page says that one looks, which may be anything."""
    given = {"zoom": str(event.zoom), "moment": str(event.moment)}
    text = urlencode({name: value for name, value in given.items() if value})
    try:
        return dict(Address.read(f"?tab=Explore&{text}").parts)
    except EXPECTED_ERRORS:
        return gr.skip()


def describe_atlas(atlas: DrawnAtlas, marks: CityMarks = NO_MARKS) -> dict[str, Any] | None:
    """What the map is told of an atlas.

    Returns:
        Plain values for JSON; None where a version before 0.2 drew the atlas, of which there is a
        picture alone.
    """
    points = atlas.path.with_name(POINTS)
    if not points.is_file():
        return None
    # A file of an earlier version has no slots, and its points stand in their own order.
    columns = points.stat().st_size // (4 * atlas.count)
    return {
        **_which(atlas.run, atlas.batch, atlas.prefix, atlas.first, atlas.count),
        "points": file_url(points),
        "columns": list(COLUMNS[:columns]),
        "sheets": [file_url(path) for path in sheet_paths(atlas.path.parent)],
        "sprite_px": atlas.sprite_px,
        "clusters": len(atlas.clusters),
        **marks.describe(atlas.labels),
    }


def describe_growth(atlas: GrowthAtlas, marks: CityMarks = NO_MARKS) -> dict[str, Any]:
    """What the map is told of an atlas over training, of which all maps have all cities.

    Returns:
        Plain values for JSON. Places are told as they lie in the files: the middle is 0.

    Raises:
        StudioError: a map is damaged.
    """
    prefix = f"{atlas.labels[0].partition('.')[0]}."
    in_order = all(label == f"{prefix}{number}" for number, label in enumerate(atlas.labels))
    looked_at = list(atlas.maps[:: -(-len(atlas.maps) // MEASURED)])
    if looked_at[-1] is not atlas.maps[-1]:
        looked_at.append(atlas.maps[-1])
    places = np.stack([atlas.read_places(each)[:, :2] for each in looked_at])
    reach = float(np.abs(places).max())
    maps = [
        {
            "batch": each.batch,
            "points": file_url(atlas.folder_of(each) / PLACES),
            "near": file_url(atlas.folder_of(each) / NEAR),
            "sheets": [file_url(path) for path in sheet_paths(atlas.folder_of(each))],
        }
        for each in atlas.maps
    ]
    return {
        **_which(atlas.run, atlas.batches[-1], prefix, 0, len(atlas.labels)),
        "space": f"{atlas.space} over training",
        "labels": None if in_order else list(atlas.labels),
        "columns": list(GROWTH_COLUMNS),
        "neighbours": atlas.neighbours,
        "reach": reach or 1.0,
        "settled": find_settled(places, SETTLED * reach).tolist(),
        "settled_at": [each.batch for each in looked_at],
        "maps": maps,
        "sheets": maps[-1]["sheets"],
        "sprite_px": atlas.sprite_px,
        "clusters": None,
        **marks.describe(atlas.labels),
    }


def find_settled(places: np.ndarray, near: float) -> np.ndarray:
    """When each city came near to where it lies at last, and stayed.

    Args:
        places: float [maps, cities, 2].
        near: a distance of places.

    Returns:
        int [cities], numbers of maps.
    """
    away = np.linalg.norm(places - places[-1], axis=2) > near
    settled: np.ndarray = np.where(away, np.arange(len(places))[:, None] + 1, 0).max(0)
    return settled


def describe_first_view(folder: Path, run: str, batch: int, count: int) -> dict[str, Any] | None:
    """What the map is told of an atlas that is still being laid out.

    Args:
        folder: of the atlas.
        count: of its cities, of which the first is `BATCH.0`.

    Returns:
        Plain values for JSON; None as long as there is nothing to see.
    """
    points = folder / FIRST_VIEW
    try:
        if points.stat().st_size != 2 * 4 * count:
            return None
        url = file_url(points)
    except FileNotFoundError:  # Not yet, or not any more.
        return None
    rest = {"sheets": [], "sprite_px": 0, "clusters": None, **NO_MARKS.describe(())}
    return {
        **_which(run, batch, f"{batch}.", 0, count),
        "points": url,
        "columns": ["x", "y"],
        **rest,
    }


def _which(run: str, batch: int, prefix: str, first: int, count: int) -> dict[str, Any]:
    """What tells the cities of two maps to be the same, so that they go from place to place."""
    return {"run": run, "batch": batch, "prefix": prefix, "first": first, "count": count}
