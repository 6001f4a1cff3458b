"""How pictures are shown in a video: crop, size and scaling."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from renderers.errors import RenderError
from renderers.pictures.frame_layout import (
    NEAREST,
    SCALINGS,
    FrameLayout,
    Size,
    rounded_up,
    size_text,
)

WATCHABLE_PX = 512  # Pictures of less height are enlarged where nobody chose a size.
MAX_SIDE_PX = 16_383  # WebP allows no longer side; the other formats end there or little later.
MAX_SCALE = 64
SIDE = "([0-9]{1,9})"  # More digits are no pixels, and Python reads no thousands of them.


@dataclass(frozen=True)
class DisplayOptions:
    """How the pictures of a generator are shown.

    Args:
        crop: x, y, width and height of the part of each picture that is shown, in its pixels;
            all of it if None.
        size: width and height of the video. A picture of another shape gets bars.
        scale: whole factor of enlargement, instead of a size. With neither, small pictures are
            enlarged until they are watchable.
        scaling: how pixels become more: `nearest` repeats them, `lanczos` is smooth.

    Raises:
        RenderError: a value is out of its range, or both a size and a scale are given.
    """

    crop: tuple[int, int, int, int] | None = None
    size: Size | None = None
    scale: int | None = None
    scaling: str = NEAREST

    def __post_init__(self) -> None:
        for name in ("crop", "size"):  # JSON knows no tuples.
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))
        if self.size and self.scale:
            raise RenderError(
                f"Size {size_text(self.size)} and scale {self.scale}: give one of them."
            )
        if self.scaling not in SCALINGS:
            raise RenderError(f"There is no scaling '{self.scaling}'. Use {' or '.join(SCALINGS)}.")
        if self.scale is not None and not 1 <= self.scale <= MAX_SCALE:
            raise RenderError(f"scale {self.scale} is out of range: use 1 to {MAX_SCALE}.")
        if self.size and not all(2 <= side <= MAX_SIDE_PX for side in self.size):
            raise RenderError(
                f"Size {size_text(self.size)} is out of range: use 2 to {MAX_SIDE_PX} px."
            )
        if self.crop and (min(self.crop) < 0 or 0 in self.crop[2:]):
            raise RenderError(f"Crop {_crop_text(self.crop)} has no pixels: use WIDTHxHEIGHT+X+Y.")

    def apply_crop(self, pictures: np.ndarray) -> np.ndarray:
        """Cut out the part of pictures that is shown.

        Args:
            pictures: uint8 [..., H, W, 3].

        Returns:
            A view of them, uint8 [..., height, width, 3].

        Raises:
            RenderError: the crop reaches out of the pictures.
        """
        width, height = self.cropped(pictures.shape[-2], pictures.shape[-3])
        x, y = self.crop[:2] if self.crop else (0, 0)
        return pictures[..., y : y + height, x : x + width, :]

    def cropped(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height of the part of a picture that is shown.

        Args:
            width_px, height_px: those of the picture.

        Raises:
            RenderError: the crop reaches out of it.
        """
        if not self.crop:
            return width_px, height_px
        x, y, width, height = self.crop
        if x + width > width_px or y + height > height_px:
            raise RenderError(
                f"Crop {_crop_text(self.crop)} reaches out of the picture, which has "
                f"{size_text((width_px, height_px))} px. Choose a part of it."
            )
        return width, height

    def lay_out(self, width_px: int, height_px: int, even: bool = True) -> FrameLayout:
        """Lay out frames of a size.

        Args:
            width_px, height_px: the size of a frame, after the crop.
            even: the video's sides must be even; see `renderers.video.encoders.VideoEncoder.even`.

        Raises:
            RenderError: the video would be too large.
        """
        picture = width_px, height_px
        if self.size:
            video = rounded_up(self.size, even)
            return FrameLayout(picture, _fitted(picture, video), video, self.size, self.scaling)
        scale = self.scale or watchable_scale(height_px)
        shown = width_px * scale, height_px * scale
        if max(shown) > MAX_SIDE_PX:
            raise RenderError(
                f"The video would be {size_text(shown)} px, more than {MAX_SIDE_PX}: choose a "
                "smaller scale or size, or fewer columns."
            )
        return FrameLayout(picture, shown, rounded_up(shown, even), shown, self.scaling)


def watchable_scale(height_px: int, least_px: int = WATCHABLE_PX) -> int:
    """The whole factor by which a picture of a height is enlarged to at least `least_px`.

    It is even where it is not 1, so that each pixel covers whole chroma samples of `yuv420p` and
    keeps its colour exactly.

    Example:
        >>> watchable_scale(64), watchable_scale(100), watchable_scale(512)
        (8, 6, 1)
    """
    if height_px >= least_px:
        return 1
    return 2 * -(-least_px // (2 * height_px))


def parse_size(text: str) -> Size:
    """Read a size as people write it.

    Returns:
        Width and height in pixels.

    Raises:
        RenderError: the text is no size.

    Example:
        >>> parse_size("1920x1080"), parse_size("512")
        ((1920, 1080), (512, 512))
    """
    found = re.fullmatch(rf"{SIDE}(?:[x×]{SIDE})?", text.strip().lower())
    if not found:
        raise RenderError(f"'{text:.40}' is not a size: write 1920x1080, or 512 for a square.")
    return int(found[1]), int(found[2] or found[1])


def parse_crop(text: str) -> tuple[int, int, int, int]:
    """Read the part of a picture that is shown.

    Returns:
        x, y, width and height in pixels.

    Raises:
        RenderError: the text is no crop.

    Example:
        >>> parse_crop("256x192+10+20")
        (10, 20, 256, 192)
    """
    found = re.fullmatch(rf"{SIDE}[x×]{SIDE}\+{SIDE}\+{SIDE}", text.strip().lower())
    if not found:
        raise RenderError(
            f"'{text:.40}' is not a crop: write WIDTHxHEIGHT+X+Y, such as 256x256+10+20."
        )
    width, height, x, y = map(int, found.groups())
    return x, y, width, height


def _fitted(picture: Size, box: Size) -> Size:
    """The largest size of the picture's shape in a box; one pixel that is missing is stretched."""
    factor = min(box[0] / picture[0], box[1] / picture[1])
    width, height = (
        side if side - length * factor < 2 else max(1, round(length * factor))
        for length, side in zip(picture, box, strict=True)
    )
    return width, height


def _crop_text(crop: tuple[int, int, int, int]) -> str:
    x, y, width, height = crop
    return f"{width}x{height}+{x}+{y}"
