"""Pictures scattered over one frame, which may move from frame to frame: a map that lives."""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from PIL import Image, ImageDraw

from renderers.errors import RenderError
from renderers.pictures.sheets import INK, Colour

MAX_SIDE_PX = 8192
CORNER_SHARE = 0.12  # The radius of a picture's corners, as a share of its width.
SUPERSAMPLING = 4  # Corners are drawn this many times as large, then averaged.


@dataclass(frozen=True)
class ScatterView:
    """Where the pictures of all tracks lie in the frames of a film.

    Args:
        size_px: width and height of a frame.
        picture_px: width and height of each picture.
        keys: frames at which the places are known, ascending, the first 0.
        places: base64 of float32 little-endian [keys, tracks, 2]: the middle of each picture at
            each key, x to the right and y down, in pixels.

    Raises:
        RenderError: a value does not fit.
    """

    size_px: int
    picture_px: int
    keys: tuple[int, ...]
    places: str

    def __post_init__(self) -> None:
        if not 2 <= self.size_px <= MAX_SIDE_PX or not 1 <= self.picture_px <= self.size_px:
            raise RenderError(
                f"Pictures of {self.picture_px} px in a frame of {self.size_px} px are out of "
                f"range: use frames of up to {MAX_SIDE_PX} px."
            )
        if not self.keys or self.keys[0] != 0 or list(self.keys) != sorted(set(self.keys)):
            raise RenderError("The keys of a map that moves have to ascend from 0.")
        if not self._known.size or not np.isfinite(self._known).all():
            raise RenderError("The places of a map that moves have to be finite numbers.")

    @classmethod
    def of(
        cls, size_px: int, picture_px: int, keys: Sequence[int], places: np.ndarray
    ) -> ScatterView:
        """A view of places, float [keys, tracks, 2]."""
        written = base64.b64encode(np.asarray(places, "<f4").tobytes()).decode()
        return cls(size_px, picture_px, tuple(keys), written)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """A view from its fields, as JSON has them.

        Raises:
            RenderError: a value does not fit.
        """
        return cls(**{**document, "keys": tuple(document["keys"])})

    @cached_property
    def _known(self) -> np.ndarray:
        """Places at the keys, float32 [keys, tracks, 2]."""
        content = base64.b64decode(self.places)
        if len(content) % (8 * len(self.keys)):
            raise RenderError("The places of a map that moves are not those of its keys.")
        return np.frombuffer(content, "<f4").reshape(len(self.keys), -1, 2)

    def places_at(self, frame: int) -> np.ndarray:
        """The middle of each picture at a frame, float32 [tracks, 2].

        Between the keys, places follow a smooth curve through them (Catmull and Rom 1974), so that
        nothing stops at a key; behind the last one, they stay.
        """
        after = bisect_right(self.keys, frame)
        if after == len(self.keys):
            return np.asarray(self._known[-1])
        last = len(self.keys) - 1
        around = max(0, after - 2), after - 1, after, min(after + 1, last)
        t = (frame - self.keys[after - 1]) / (self.keys[after] - self.keys[after - 1])
        before, first, second, beyond = (self._known[key] for key in around)
        return _follow_curve(before, first, second, beyond, t)

    def compose(self, pictures: np.ndarray, frame: int) -> np.ndarray:
        """One frame, uint8 [size_px, size_px, 3], of the tracks' pictures as `scatter` has them."""
        return scatter(pictures, self.places_at(frame), self.size_px)


def scatter(
    pictures: np.ndarray, places: np.ndarray, size_px: int, background: Colour = INK
) -> np.ndarray:
    """Lay pictures with round corners at places that need not be whole pixels, later ones on top.

    Args:
        pictures: uint8 [N, S, S, 3].
        places: float [N, 2], the middle of each in pixels, x to the right and y down; what reaches
            over the edge is cut off.
        size_px: width and height of the result.

    Returns:
        uint8 [size_px, size_px, 3].
    """
    side = pictures.shape[1]
    corners = np.asarray(places, np.float64) - side / 2
    whole = np.floor(corners).astype(int)
    shifted = _shift(pictures, (corners - whole).astype(np.float32))
    room = side + 1  # A shifted picture is a pixel wider and higher.
    ground = np.empty((size_px + 2 * room, size_px + 2 * room, 3), np.float32)
    ground[:] = background
    for (x, y), drawn in zip(np.clip(whole, -room, size_px) + room, shifted, strict=True):
        spot = ground[y : y + room, x : x + room]
        spot *= 1 - drawn[..., 3:]
        spot += drawn[..., :3]
    return np.rint(ground[room:-room, room:-room]).astype(np.uint8)


def round_mask(size_px: int) -> Image.Image:
    """Smooth round corners: an image of opacities of that size, drawn larger and shrunk."""
    large = Image.new("L", (size_px * SUPERSAMPLING, size_px * SUPERSAMPLING))
    box = (0, 0, large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(box, large.width * CORNER_SHARE, fill=255)
    return large.resize((size_px, size_px), Image.Resampling.LANCZOS)


def _shift(pictures: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Pictures moved by parts of a pixel.

    Args:
        pictures: uint8 [N, S, S, 3].
        parts: float32 [N, 2], 0..1, to the right and down.

    Returns:
        float32 [N, S + 1, S + 1, 4]: colours times opacity, 0..255, and opacity, 0..1.
    """
    opacity = np.asarray(round_mask(pictures.shape[1]), np.float32)[None, ..., None] / 255
    colours = pictures * opacity
    drawn = np.concatenate([colours, np.broadcast_to(opacity, (*colours.shape[:3], 1))], axis=3)
    for axis, part in ((2, parts[:, 0]), (1, parts[:, 1])):
        share = part[:, None, None, None]
        padding = [(0, 0)] * 4
        padding[axis] = (0, 1)
        here = np.pad(drawn, padding)
        drawn = (1 - share) * here + share * np.roll(here, 1, axis)
    return np.asarray(drawn)


def _follow_curve(
    before: np.ndarray, first: np.ndarray, second: np.ndarray, beyond: np.ndarray, t: float
) -> np.ndarray:
    """The curve of Catmull and Rom from the first to the second of four places, 0 <= t <= 1."""
    bent = 2 * before - 5 * first + 4 * second - beyond
    twisted = 3 * (first - second) + beyond - before
    return np.asarray(first + 0.5 * t * (second - before + t * (bent + t * twisted)), np.float32)
