"""Write one still picture as a file."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from renderers.errors import RenderError
from renderers.files import replacing
from renderers.pictures.display_options import DisplayOptions
from renderers.pictures.frame_layout import NEAREST

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def save_picture(picture: np.ndarray, path: Path | str, quality: int = 92) -> Path:
    """Write one picture as PNG, JPEG or WebP by its suffix, whole or not at all.

    Args:
        picture: uint8 [height, width, 3].
        path: its folder is made.
        quality: of JPEG and WebP, 1..100.

    Returns:
        path.

    Raises:
        RenderError: an unknown suffix, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise RenderError(f"Cannot write a picture as '{path.name}': use {', '.join(SUFFIXES)}.")
    with replacing(path) as temporary:
        iio.imwrite(temporary, picture, plugin="pillow", quality=quality)
    return path


def scale_picture(picture: np.ndarray, display: DisplayOptions) -> np.ndarray:
    """Bring one picture to the size of display options, in its own shape and without bars.

    Args:
        picture: uint8 [H, W, 3].
        display: without a size the picture stays as it is. A smaller picture is averaged where
            the scaling is `nearest`, as in videos.

    Returns:
        uint8 [height, width, 3].
    """
    height, width, _ = picture.shape
    if display.size is None:
        return picture
    shown = display.lay_out(width, height, even=False).shown
    kernel = Image.Resampling.LANCZOS
    if display.scaling == NEAREST:
        kernel = Image.Resampling.NEAREST if shown[0] >= width else Image.Resampling.BOX
    return np.asarray(Image.fromarray(picture).resize(shown, kernel))
