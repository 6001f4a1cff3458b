"""City maps in the style of printed ones, drawn from OpenStreetMap extracts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PIL import Image, ImageDraw

from studio.datasets.maps.coastline import find_sea
from studio.datasets.maps.osm_extract import Area, Extract, Point, find_extract, read_extract
from studio.workspace.errors import StudioError

GROUND = "#e3c79b"
BLOCK = "#d9a877"
GREEN = "#8fae7b"
WOOD = "#7a9d6c"
WATER = "#4f8ea8"
SQUARE = "#f3e3c3"
RAILWAY = "#6d6470"
CASING = "#a87b50"
STREET = "#fff8e7"
CIVIC_BUILDING = "#7d3340"
BUILDINGS_UP_TO_LEVEL = ((2, "#d9895f"), (4, "#c96f4a"), (6, "#b5573d"))
TALL_BUILDING = "#96432f"

Rule = Mapping[str, frozenset[str]]


def _rule(**values: str) -> Rule:
    return {key: frozenset(words.split()) for key, words in values.items()}


# Areas are drawn in this order, each over those before it.
AREA_COLOURS: tuple[tuple[str, Rule], ...] = (
    (BLOCK, _rule(place="city_block", landuse="residential commercial retail industrial civil")),
    (RAILWAY, _rule(landuse="railway")),
    (
        GREEN,
        _rule(
            leisure="park garden pitch playground dog_park",
            landuse="grass meadow farmland cemetery greenhouse_horticulture recreation_ground",
        ),
    ),
    (WOOD, _rule(natural="wood scrub heath", landuse="forest")),
    (WATER, _rule(natural="water", landuse="basin", waterway="riverbank")),
)
OPEN_GROUND = _rule(place="square", highway="pedestrian", man_made="pier")
CIVIC = _rule(building="church public university school museum civic industrial government")
LOW_HOUSES = _rule(building="house residential terrace garages shed detached")
NO_BUILDINGS = _rule(building="no roof")
# Streets are drawn so many metres wide, more than on the ground, to be seen in 64 pixels.
STREET_WIDTHS = {
    "motorway": 18.0,
    "trunk": 16.0,
    "primary": 15.0,
    "secondary": 14.0,
    "tertiary": 12.0,
    "motorway_link": 11.0,
    "trunk_link": 11.0,
    "primary_link": 10.0,
    "residential": 10.0,
    "unclassified": 10.0,
    "living_street": 9.0,
    "pedestrian": 8.0,
    "service": 3.5,
    "cycleway": 2.5,
    "footway": 2.0,
    "path": 2.0,
}
# Tracks are drawn so many metres wide; those of a yard lie closer and become one shape.
TRACK_WIDTH_M = 5.0
MIN_STREET_PX = 2.0  # Thinner streets are left out.
CASING_PX = 0.75  # Each side of a street has a darker line of this width.
# Buildings are drawn larger by this much on each side, which closes slits and light wells that are
# too small to be seen.
BUILDING_EDGE_PX = 0.6
MIN_METRES_PER_PIXEL, MAX_METRES_PER_PIXEL = 0.5, 5.0


def draw_city_map(city: str, metres_per_pixel: float = 2.0) -> Image.Image:
    """Draw the whole map of a city, north up.

    Args:
        city: one of `osm_extract.CITIES`.
        metres_per_pixel: 0.5 to 5. Streets thinner than two pixels at this scale are left out.

    Returns:
        An RGB picture. `osm_extract.ATTRIBUTION` has to stand beside it wherever it is shown.

    Raises:
        StudioError: the city is not known, its map or osmium is not installed, or the scale is out
            of range.
    """
    return draw_extract(read_extract(find_extract(city)), metres_per_pixel)


def draw_extract(extract: Extract, metres_per_pixel: float) -> Image.Image:
    """Draw an extract as `draw_city_map` does.

    Args:
        metres_per_pixel: 0.5 to 5.

    Raises:
        StudioError: the scale is out of range.
    """
    low, high = MIN_METRES_PER_PIXEL, MAX_METRES_PER_PIXEL
    if not low <= metres_per_pixel <= high:
        raise StudioError(
            f"A city map cannot be drawn at {metres_per_pixel:g} metres per pixel. "
            f"Choose {low:g} to {high:g}; 2 shows streets and blocks well at 64 pixels."
        )
    # Pillow draws without antialiasing, so the map is drawn larger and averaged.
    enlargement = 4 if metres_per_pixel >= 1 else 2
    drawing = _MapDrawing(extract, metres_per_pixel, enlargement)
    for colour, rule in AREA_COLOURS:
        drawing.fill_areas((area for area in extract.areas if _matches(rule, area.tags)), colour)
    for polygon in find_sea(extract):
        drawing.fill(polygon, WATER)
    drawing.fill_areas((area for area in extract.areas if _matches(OPEN_GROUND, area.tags)), SQUARE)
    _draw_railways(drawing, extract)
    _draw_buildings(drawing, extract, BUILDING_EDGE_PX * metres_per_pixel)
    _draw_streets(drawing, extract, metres_per_pixel)
    return drawing.image.reduce(enlargement)


def _draw_railways(drawing: _MapDrawing, extract: Extract) -> None:
    for line in extract.lines:
        if line.tags.get("railway") == "rail":
            drawing.stroke(line.points, TRACK_WIDTH_M, RAILWAY)


def _draw_buildings(drawing: _MapDrawing, extract: Extract, edge_m: float) -> None:
    for area in extract.areas:
        if "building" in area.tags and not _matches(NO_BUILDINGS, area.tags):
            drawing.fill_areas([area], _building_colour(area.tags), edge_m)


def _draw_streets(drawing: _MapDrawing, extract: Extract, metres_per_pixel: float) -> None:
    min_width_m = MIN_STREET_PX * metres_per_pixel
    streets = [
        (STREET_WIDTHS[line.tags["highway"]], line.points)
        for line in extract.lines
        if STREET_WIDTHS.get(line.tags.get("highway", ""), 0) >= min_width_m
        and line.tags.get("area") != "yes"
    ]
    for width, points in streets:
        drawing.stroke(points, width + 2 * CASING_PX * metres_per_pixel, CASING)
    for width, points in streets:
        drawing.stroke(points, width, STREET)


def _building_colour(tags: Mapping[str, str]) -> str:
    if _matches(CIVIC, tags):
        return CIVIC_BUILDING
    try:
        levels = float(tags["building:levels"])
    except (KeyError, ValueError):
        levels = 2 if _matches(LOW_HOUSES, tags) else 5
    return next((tone for limit, tone in BUILDINGS_UP_TO_LEVEL if levels <= limit), TALL_BUILDING)


def _matches(rule: Rule, tags: Mapping[str, str]) -> bool:
    return any(tags.get(key) in words for key, words in rule.items())


class _MapDrawing:
    """The map while it is drawn; positions and widths are metres."""

    def __init__(self, extract: Extract, metres_per_pixel: float, enlargement: int) -> None:
        self._scale = enlargement / metres_per_pixel
        width = enlargement * round(extract.width_m / metres_per_pixel)
        height = enlargement * round(extract.height_m / metres_per_pixel)
        self.image = Image.new("RGB", (width, height), GROUND)
        self._draw = ImageDraw.Draw(self.image)

    def fill(self, polygon: list[Point], colour: str) -> None:
        """Fill a polygon."""
        if len(polygon) > 2:
            self._draw.polygon(self._pixels(polygon), fill=colour)

    def fill_areas(self, areas: Iterable[Area], colour: str, edge_m: float = 0.0) -> None:
        """Fill areas but not their holes, and draw a line of 2 * edge_m along every ring."""
        for area in areas:
            if area.inner:
                self._fill_around_holes(area, colour)
            else:
                for ring in area.outer:
                    self.fill(ring, colour)
            if edge_m:
                for ring in area.outer + area.inner:
                    self.stroke([*ring, ring[0]], 2 * edge_m, colour)

    def stroke(self, points: list[Point], width_m: float, colour: str) -> None:
        """Draw a line with round joints and round ends."""
        pixels = self._pixels(points)
        width = max(1, round(width_m * self._scale))
        self._draw.line(pixels, fill=colour, width=width, joint="curve")
        for x, y in (pixels[0], pixels[-1]):
            self._draw.circle((x, y), width / 2, fill=colour)

    def _fill_around_holes(self, area: Area, colour: str) -> None:
        mask = Image.new("1", self.image.size)
        draw = ImageDraw.Draw(mask)
        for rings, inside in ((area.outer, 1), (area.inner, 0)):
            for ring in rings:
                draw.polygon(self._pixels(ring), fill=inside)
        if box := mask.getbbox():
            self.image.paste(colour, box, mask.crop(box))

    def _pixels(self, points: list[Point]) -> list[Point]:
        return [(x * self._scale, y * self._scale) for x, y in points]
