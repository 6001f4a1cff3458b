"""The pictures of a dataset made small once, for those who learn to make them large again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xxhash
from PIL import Image

from checkpoints_index.storage.files import open_whole
from renderers.progress import OnProgress, ignore_progress
from studio.datasets.prepared import PreparedDataset, small_file, write_manifest
from studio.workspace.errors import StudioError
from studio.workspace.names import shorten

FACTORS = (2, 3, 4)


def read_factors(texts: Sequence[str]) -> tuple[int, ...]:
    """How many times as small pictures are to be kept, ascending, from what was written.

    Raises:
        StudioError: the text lists what can.

    Example:
        >>> read_factors(["4", "2"])
        (2, 4)
    """
    known = {str(factor): factor for factor in FACTORS}
    for text in texts:
        if text not in known:
            raise StudioError(
                f"Pictures can be kept {', '.join(known)} times as small, not '{shorten(text)}'."
            )
    return tuple(sorted({known[text] for text in texts}))


def check_factors(factors: Sequence[int]) -> None:
    """Refuse how many times as small pictures cannot be kept.

    Raises:
        StudioError: the text lists what can.
    """
    for factor in factors:
        if factor not in FACTORS:
            known = ", ".join(map(str, FACTORS))
            raise StudioError(f"Pictures can be kept {known} times as small, not {factor} times.")


def write_small(
    folder: Path, pixels: np.ndarray, factor: int, on_progress: OnProgress = ignore_progress
) -> str:
    """Write every picture so many times as small beside the pixels, whole or not at all.

    Args:
        folder: the dataset's folder, or the one that it is made in.
        pixels: uint8 [N, S, S, 3].
        factor: one of FACTORS. What is left over at the right and the bottom is cut off.

    Returns:
        The xxh3 of the small pixels, 16 hexadecimal digits.
    """
    hashed, size = xxhash.xxh3_64(), pixels.shape[1] // factor
    with open_whole(folder / small_file(factor)) as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(pixels), size, size, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        for done, picture in enumerate(pixels, start=1):
            content = shrink_picture(picture, factor).tobytes()
            hashed.update(content)
            file.write(content)
            on_progress(done, len(pixels))
    return hashed.hexdigest()


def shrink_picture(picture: np.ndarray, factor: int) -> np.ndarray:
    """A picture so many times as small, by Pillow's bicubic filter, which is antialiased.

    Papers on super-resolution make their small pictures so, and few of them differently.

    Args:
        picture: uint8 [H, W, 3].

    Returns:
        uint8 [H // factor, W // factor, 3].
    """
    height, width = (length // factor for length in picture.shape[:2])
    whole = Image.fromarray(picture[: height * factor, : width * factor])
    return np.asarray(whole.resize((width, height), Image.Resampling.BICUBIC))


def downscale_dataset(
    dataset: PreparedDataset, factors: Sequence[int], on_progress: OnProgress = ignore_progress
) -> PreparedDataset:
    """Keep the pictures of a dataset small as well, beside those small ones that it has.

    The manifest names them at the end, so that a call that was interrupted has changed nothing.

    Raises:
        StudioError: a factor that there is not, or the files cannot be written.
    """
    check_factors(factors)
    small = dict(dataset.manifest.small)
    try:
        for factor in factors:
            small[factor] = write_small(dataset.folder, dataset.pixels, factor, on_progress)
        manifest = replace(dataset.manifest, small=tuple(sorted(small.items())))
        write_manifest(dataset.folder, manifest)
    except OSError as error:
        raise StudioError(
            f"The small pictures of dataset '{dataset.manifest.name}' cannot be written: "
            f"{error.strerror or error}. Make room on the disk, and try again."
        ) from error
    return PreparedDataset.open(dataset.folder)
