"""The batch number in a corner of a frame."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SHADE = 0.55  # how much a picture is darkened under the number, so that it reads on white too
SUPERSAMPLING = 4


class BatchNumber:
    """Draws numbers in white on a small shaded plate, in the lower left corner.

    The plate has room for the largest number and digits keep their places, so that nothing
    jumps while the film runs. All glyphs are drawn once.

    Args:
        height_px, width_px: of the frames.
        largest: the largest number that will be drawn.
    """

    def __init__(self, height_px: int, width_px: int, largest: int) -> None:
        self._digits = len(str(largest))
        size = max(7, round(min(height_px, width_px) / 30))
        self._glyphs = _digit_masks(size)
        glyph_height, self._glyph_width = self._glyphs.shape[1:]
        self._inset = max(2, size // 2)
        plate_width = self._digits * self._glyph_width + 2 * self._inset
        plate_height = glyph_height + 2 * (self._inset // 2 + 1)
        self._plate = SHADE * _rounded_mask(plate_width, plate_height, radius=plate_height // 4)
        self._top = max(0, height_px - plate_height - self._inset)

    def draw(self, frame: np.ndarray, batch: int) -> np.ndarray:
        """A copy of frame, uint8 [height_px, width_px, 3], with the number on it."""
        drawn = frame.copy()
        height, width = self._plate.shape
        spot = drawn[self._top : self._top + height, self._inset : self._inset + width]
        ink, shade = (m[: spot.shape[0], : spot.shape[1], None] for m in self._masks(batch))
        spot[:] = np.rint(spot * (1 - shade) * (1 - ink) + 255 * ink)
        return drawn

    def _masks(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        ink = np.zeros_like(self._plate)
        row = np.hstack([self._glyphs[int(digit)] for digit in str(batch)])
        top = (ink.shape[0] - row.shape[0]) // 2
        right = ink.shape[1] - self._inset
        ink[top : top + row.shape[0], right - row.shape[1] : right] = row
        return ink, self._plate


def _digit_masks(size: int) -> np.ndarray:
    """Opacity 0..1 of the ten digits, float32 [10, height, width], all equally wide."""
    font = ImageFont.load_default(size)
    width = max(round(font.getlength(digit)) for digit in "0123456789")
    _, top, _, bottom = font.getbbox("0123456789")
    masks = []
    for digit in "0123456789":
        image = Image.new("L", (width, int(bottom - top)))
        ImageDraw.Draw(image).text((width / 2, -top), digit, 255, font, anchor="ma")
        masks.append(np.asarray(image, np.float32) / 255)
    return np.stack(masks)


def _rounded_mask(width: int, height: int, radius: int) -> np.ndarray:
    """Opacity 0..1 of a plate with smooth round corners, float32 [height, width]."""
    large = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    box = (0, 0, large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(box, radius * SUPERSAMPLING, 255)
    return np.asarray(large.resize((width, height), Image.Resampling.BOX), np.float32) / 255
