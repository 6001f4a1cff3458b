"""Polygons of the sea, found from its shores: OpenStreetMap maps only the coastline."""

from __future__ import annotations

from studio.datasets.maps.osm_extract import Extract, Point


def find_sea(extract: Extract) -> list[list[Point]]:
    """Find the polygons of the sea in an extract.

    Water lies to the right of a coastline's direction
    (https://wiki.openstreetmap.org/wiki/Tag:natural=coastline). So a polygon follows a shore to
    where it leaves the extract, then the extract's border clockwise to where the next shore
    enters. Islands that lie wholly inside the extract are not cut out of the sea.

    Returns:
        Polygons of points in metres, as in `Extract`.
    """
    border = _Border(extract.width_m, extract.height_m)
    shores = [
        line.points
        for line in extract.lines
        if line.tags.get("natural") == "coastline" and line.points[0] != line.points[-1]
    ]
    waiting = list(shores)
    polygons = []
    while waiting:
        first = shore = waiting.pop()
        polygon = list(shore)
        while True:
            following = min(shores, key=lambda other: border.distance(shore[-1], other[0]))
            polygon += border.follow(shore[-1], following[0])
            if following is first or following not in waiting:
                break
            waiting.remove(following)
            polygon += following
            shore = following
        polygons.append(polygon)
    return polygons


class _Border:
    """The border of an extract; positions on it are metres clockwise from its north-west corner."""

    def __init__(self, width: float, height: float) -> None:
        self._corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
        self._starts = [0.0, width, width + height, 2 * width + height]
        self._length = 2 * (width + height)

    def distance(self, start: Point, end: Point) -> float:
        """The length in metres of `follow(start, end)`."""
        return (self._position(end) - self._position(start)) % self._length

    def follow(self, start: Point, end: Point) -> list[Point]:
        """Go clockwise from the place nearest to start to the one nearest to end.

        Returns:
            Both places, and the corners between them.
        """
        begin, length = self._position(start), self.distance(start, end)
        passed = sorted(
            ((corner - begin) % self._length, point)
            for corner, point in zip(self._starts, self._corners, strict=True)
        )
        between = [point for distance, point in passed if distance < length]
        return [self._point(begin), *between, self._point(begin + length)]

    def _position(self, point: Point) -> float:
        x, y = point
        width, height = self._corners[2]
        sides = [
            (abs(y), x),
            (abs(width - x), width + y),
            (abs(height - y), width + height + (width - x)),
            (abs(x), 2 * width + height + (height - y)),
        ]
        return min(sides)[1]

    def _point(self, position: float) -> Point:
        position %= self._length
        width, height = self._corners[2]
        if position <= width:
            return position, 0.0
        if position <= width + height:
            return width, position - width
        if position <= 2 * width + height:
            return 2 * width + height - position, height
        return 0.0, self._length - position
