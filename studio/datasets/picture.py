"""Reading one picture file of any kind as square 8-bit RGB pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from studio.datasets.fits import Fit

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
MAX_PICTURE_PX = 150_000_000  # About half a gigabyte of memory while it is decoded.


class UnreadablePictureError(Exception):
    """A file cannot be used as a picture; the text of the error is the reason."""


def read_picture(path: Path, image_size: int, fit: Fit = "crop") -> np.ndarray:
    """Read a picture, turn it upright, make it square and scale that (Lanczos).

    Transparent pixels are laid over white, 16 bits are scaled to 8, and palettes, grey and CMYK
    become RGB. The first frame of an animation is taken. Small pictures are enlarged.

    Args:
        path: a file in one of FORMATS.
        image_size: width and height of the result in pixels.
        fit: `crop` cuts out the middle square, `pad` adds white at two sides, `stretch` distorts.

    Returns:
        uint8 [image_size, image_size, 3].

    Raises:
        UnreadablePictureError: the file is damaged, too large, or of a kind without a known range.
    """
    with opening_picture(path) as image:
        return _decode(image, image_size, fit)


@contextmanager
def opening_picture(path: Path, is_whole: bool = True) -> Iterator[Image.Image]:
    """A picture file that is open; whatever its bytes lead to in the block becomes a reason.

    Args:
        path: a file in one of FORMATS.
        is_whole: hold it against its checksums, for which all of it is read.

    Raises:
        UnreadablePictureError: the file is damaged, too large, or of a kind without a known range.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures, which are refused below, and of odd metadata.
            warnings.simplefilter("ignore")
            with path.open("rb") as file:
                if is_whole:
                    _hold_against_checksums(file)
                with Image.open(file, formats=FORMATS) as image:
                    if image.width * image.height > MAX_PICTURE_PX:
                        said = f"{image.width} x {image.height}"
                        raise UnreadablePictureError(
                            f"too large: {said}, at most {MAX_PICTURE_PX:,} pixels"
                        )
                    yield image
    except UnreadablePictureError:
        raise
    except UnidentifiedImageError as error:
        kinds = ", ".join(FORMATS)
        raise UnreadablePictureError(f"damaged, or none of {kinds}") from error
    except Exception as error:
        # Decoders raise errors of many kinds for damaged bytes: OSError, SyntaxError, ValueError,
        # struct.error, IndexError and more.
        reason = str(error) or type(error).__name__
        raise UnreadablePictureError(f"cannot be decoded: {reason}") from error


def _hold_against_checksums(file: BinaryIO) -> None:
    """Refuse a PNG whose checksums differ: decoding passes them over and shows other pixels."""
    if file.read(len(PNG_MAGIC)) == PNG_MAGIC:
        file.seek(0)
        Image.open(file, formats=("PNG",)).verify()
    file.seek(0)


def is_square(path: Path) -> bool:
    """Whether a file that `read_picture` has read is as wide as it is high."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=FORMATS) as image:
            return image.width == image.height


def _decode(image: Image.Image, image_size: int, fit: Fit) -> np.ndarray:
    # A JPEG can be decoded at a fraction of its size; the filter needs twice the target.
    image.draft(image.mode, (2 * image_size, 2 * image_size))
    upright = convert_to_rgb(ImageOps.exif_transpose(image))
    size, lanczos = (image_size, image_size), Image.Resampling.LANCZOS
    if fit == "pad":
        return np.asarray(ImageOps.pad(upright, size, lanczos, color="white"))
    if fit == "stretch":
        return np.asarray(upright.resize(size, lanczos))
    return np.asarray(ImageOps.fit(upright, size, lanczos))


def convert_to_rgb(image: Image.Image) -> Image.Image:
    """The picture in 8-bit RGB, over white where it is transparent.

    Raises:
        UnreadablePictureError: its numbers have no known range.
    """
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
