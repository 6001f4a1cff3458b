"""Where on a city map a picture is, and marks on the map at such places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.signal import fftconvolve

from studio.datasets.maps.map_places import Window

MARK, MARK_GROUND = (190, 20, 60), (255, 255, 255)


@dataclass(frozen=True)
class MapMatch:
    """The window of a map that is most like a picture.

    Attributes:
        error: root of the mean squared difference of the pixels, in levels 0..255.
    """

    window: Window
    error: float


def find_on_map(city_map: np.ndarray, picture: np.ndarray) -> MapMatch:
    """Compare a picture with every window of a map, turned by quarters and mirrored.

    Args:
        city_map: uint8 [H, W, 3].
        picture: uint8 [size, size, 3], size at most H and W.
    """
    size = len(picture)
    ground = city_map.astype(np.float64)
    squares = _sum_windows((ground**2).sum(2), size)
    best = MapMatch(Window(0, 0, 0, 0), np.inf)
    for mirrored in (0, 1):
        for turns in range(4):
            # Undoes what `cut_window` does: first the mirror, then the turns.
            upright = np.rot90(picture[:, ::-1] if mirrored else picture, -turns).astype(np.float64)
            products = sum(
                fftconvolve(ground[..., c], upright[::-1, ::-1, c], mode="valid") for c in range(3)
            )
            errors = squares - 2 * products + (upright**2).sum()
            top, left = np.unravel_index(int(errors.argmin()), errors.shape)
            error = float(np.sqrt(max(0.0, errors[top, left]) / picture.size))
            if error < best.error:
                best = MapMatch(Window(int(top), int(left), turns, mirrored), error)
    return best


def mark_places(
    city_map: np.ndarray, size: int, windows: Sequence[Window], labels: Sequence[str]
) -> np.ndarray:
    """The map with a frame around each window, and its label in it.

    Args:
        city_map: uint8 [H, W, 3].
        size: width and height of the windows in pixels.

    Returns:
        uint8 [H, W, 3].
    """
    image = Image.fromarray(city_map)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for window, label in zip(windows, labels, strict=True):
        box = (window.left, window.top, window.left + size - 1, window.top + size - 1)
        draw.rectangle(box, outline=MARK, width=2)
        place = (window.left + 5, window.top + 4)
        draw.rectangle(draw.textbbox(place, label, font), fill=MARK_GROUND)
        draw.text(place, label, MARK, font)
    return np.asarray(image)


def _sum_windows(values: np.ndarray, size: int) -> np.ndarray:
    """The sum over each square of size x size."""
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    below = sums[size:, size:] - sums[size:, :-size]
    return np.asarray(below - sums[:-size, size:] + sums[:-size, :-size])
