"""One picture file, of whatever kind, to square 8-bit RGB pixels."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
LARGEST_PICTURE_PX = 150_000_000  # about half a gigabyte while it is decoded


class UnreadablePictureError(Exception):
    """A file that cannot be used as a picture; its text is the reason."""


def read_picture(path: Path, image_size: int) -> np.ndarray:
    """Read a picture upright, cut its middle square and scale that (Lanczos).

    Transparency is laid on white, 16 bits are scaled to 8, palettes, grey and CMYK become RGB;
    of several frames the first is taken. Smaller pictures are enlarged.

    Returns:
        uint8 [image_size, image_size, 3].

    Raises:
        UnreadablePictureError: the file is damaged, too large, or of a kind without a known range.
    """
    try:
        with warnings.catch_warnings():
            # Sizes are bounded here; other complaints about a file that can be read help nobody.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                return _decode(image, image_size)
    except UnreadablePictureError:
        raise
    except UnidentifiedImageError as error:
        kinds = ", ".join(FORMATS)
        raise UnreadablePictureError(f"damaged, or none of {kinds}") from error
    except Exception as error:
        # Decoders meet damaged bytes with whatever happens to fail in them: OSError, SyntaxError,
        # ValueError, struct.error, IndexError and more.
        reason = str(error) or type(error).__name__
        raise UnreadablePictureError(f"cannot be decoded: {reason}") from error


def _decode(image: Image.Image, image_size: int) -> np.ndarray:
    if image.width * image.height > LARGEST_PICTURE_PX:
        size = f"{image.width} x {image.height}"
        raise UnreadablePictureError(f"too large: {size}, at most {LARGEST_PICTURE_PX:,} pixels")
    # A JPEG can be decoded at a fraction of its size; twice the target keeps the filter's quality.
    image.draft(image.mode, (2 * image_size, 2 * image_size))
    upright = _convert_to_rgb(ImageOps.exif_transpose(image))
    return np.asarray(ImageOps.fit(upright, (image_size, image_size), Image.Resampling.LANCZOS))


def _convert_to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _scale_16_bits(image).convert("RGB")
    if image.mode == "F":
        raise UnreadablePictureError(
            "floating-point pixels have no known range; save it with 8 or 16 bits"
        )
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _scale_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise UnreadablePictureError("32-bit pixels have no known range; save it with 8 or 16 bits")
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
