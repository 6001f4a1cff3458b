"""A map of cities on which the one that is shown lights up."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from renderers.compositions.composition import Composition
from renderers.compositions.typeface import BRIGHT
from renderers.pictures.sheets import INK, Colour

GROUND: Colour = (24, 26, 29)
DOT: Colour = (74, 77, 84)
POINT: Colour = (150, 152, 158)
LIGHT: Colour = (255, 176, 92)
SUPERSAMPLING = 3
INSET = 0.12  # Of the side, so that no dot touches the edge.


class LitMap:
    """Draws the map for each of its points; the last drawing is kept.

    Args:
        composition: a map, with its places.
        side_px: width and height.
        unit_px: a length for the dots, such as the height of a label.
    """

    def __init__(self, composition: Composition, side_px: int, unit_px: int) -> None:
        self._side, self._unit = side_px, unit_px
        self._places = [self._at(place) for place in composition.places]
        large = Image.new("RGB", (side_px * SUPERSAMPLING,) * 2, INK)
        pen = ImageDraw.Draw(large)
        corner = unit_px * SUPERSAMPLING / 3
        pen.rounded_rectangle((0, 0, large.width - 1, large.height - 1), corner, GROUND)
        for place in composition.around:
            self._dot(pen, self._at(place), unit_px / 12, DOT)
        for place in self._places:
            self._dot(pen, place, unit_px / 7, POINT)
        small = large.resize((side_px, side_px), Image.Resampling.BOX)
        self._ground = np.asarray(small, np.float32)
        self._drawn: tuple[int, np.ndarray] | None = None

    def _at(self, place: tuple[float, float]) -> tuple[float, float]:
        """A place in pixels."""
        room = self._side * (1 - 2 * INSET)
        return self._side * INSET + place[0] * room, self._side * INSET + place[1] * room

    def _dot(
        self, pen: ImageDraw.ImageDraw, place: tuple[float, float], radius: float, colour: Colour
    ) -> None:
        x, y, r = (length * SUPERSAMPLING for length in (*place, radius))
        pen.ellipse((x - r, y - r, x + r, y + r), colour)

    def draw(self, lit: int) -> np.ndarray:
        """The map with the light of a point, uint8 [side_px, side_px, 3]."""
        if self._drawn is None or self._drawn[0] != lit:
            self._drawn = lit, self._light(lit)
        return self._drawn[1]

    def _light(self, lit: int) -> np.ndarray:
        x, y = self._places[lit]
        rows, columns = np.ogrid[: self._side, : self._side]
        distance = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
        glow = 0.75 * np.exp(-((distance / (1.6 * self._unit)) ** 2))
        core = np.clip(self._unit / 4 + 0.5 - distance, 0, 1)
        ring = np.clip(1.5 - np.abs(distance - self._unit / 1.6), 0, 1) * 0.9
        picture = self._ground
        for opacity, colour in ((glow, LIGHT), (ring, LIGHT), (core, BRIGHT)):
            picture = picture + opacity[..., None] * (np.asarray(colour, np.float32) - picture)
        return np.rint(picture).astype(np.uint8)
