"""Write one still picture as a file."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np

from renderers.errors import RenderError
from renderers.files import replacing

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
