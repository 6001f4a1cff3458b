"""Writing a prepared dataset picture by picture, so that it is complete or not there at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import xxhash

from checkpoints_index.storage.files import (
    build_folder,
    open_whole,
    remove_leftovers,
)
from studio.datasets.prepared import PICTURES, PIXELS, Manifest, write_manifest
from studio.datasets.small_pictures import check_factors, write_small
from studio.workspace.errors import StudioError
from studio.workspace.names import require_dataset_name

IMAGE_SIZES = (32, 64, 128, 256, 512, 1024)


class DatasetWriter:
    """Appends pictures, or fonts, to the pixels of a dataset; `write_dataset` makes one.

    Attributes:
        pictures: how many were added.
        not_square: how many of them had to be made square, which the caller counts.
        folder: where the dataset is made, for what lies beside its pixels.
    """

    def __init__(self, file: BinaryIO, item_shape: tuple[int, ...], folder: Path) -> None:
        self.pictures = self.not_square = 0
        self.folder = folder
        self._file = file
        self._item_shape = item_shape
        self._hashed = xxhash.xxh3_64()
        self._write_header()

    def append(self, picture: np.ndarray) -> None:
        """Add a picture, uint8 [image_size, image_size, 3], or the letters of a font."""
        assert picture.shape == self._item_shape, picture.shape
        assert picture.dtype == np.uint8, picture.dtype
        content = picture.tobytes()
        self._hashed.update(content)
        self._file.write(content)
        self.pictures += 1

    @property
    def digest(self) -> str:
        """The xxh3 of all pixels so far."""
        return self._hashed.hexdigest()

    def finish(self) -> None:
        """Write the final count into the header."""
        self._file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        # NumPy pads this header so that a larger first axis fits in the same bytes.
        shape = (self.pictures, *self._item_shape)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)


@contextmanager
def write_dataset(
    folder: Path,
    image_size: int,
    source: str,
    *,
    attribution: str = "",
    skipped: list[tuple[str, str]] | None = None,
    fit: str = "crop",
    downscale: Sequence[int] = (),
    replace: bool = False,
    kind: str = PICTURES,
) -> Iterator[DatasetWriter]:
    """Write a dataset beside its place, and move it there when the block ends without an error.

    Whatever an interrupted call left behind is removed first.

    Args:
        folder: the dataset's folder; its last part is the dataset's name.
        image_size: of pictures, one of IMAGE_SIZES.
        source: where the pictures come from, in words.
        attribution: a notice that has to stand wherever they are shown.
        skipped: files that could not be used, with reasons; read when the block ends.
        fit: how pictures that are not square are made so.
        downscale: how many times as small the pictures are kept as well; see `small_pictures`.
        replace: whether a dataset in folder is replaced.
        kind: of the dataset, see `Manifest`.

    Yields:
        The writer that takes the pictures.

    Raises:
        StudioError: the name or the size is not possible, a dataset of that name exists and is not
            to be replaced, or the disk cannot be written to.
    """
    require_dataset_name(folder.name)
    if kind == PICTURES:
        _check_image_size(image_size)
    check_factors(downscale)
    empty = Manifest(folder.name, image_size, 0, source, attribution, fit=fit, kind=kind)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder.parent, folder.name)
        with build_folder(folder, replace) as beside:
            with open_whole(beside / PIXELS) as file:
                writer = DatasetWriter(file, empty.item_shape, beside)
                yield writer
                writer.finish()
            pixels = np.load(beside / PIXELS, mmap_mode="r", allow_pickle=False)
            small = [(factor, write_small(beside, pixels, factor)) for factor in downscale]
            manifest = dataclasses.replace(
                empty,
                pictures=writer.pictures,
                skipped=tuple(skipped or ()),
                not_square=writer.not_square,
                digest=writer.digest,
                small=tuple(sorted(dict(small).items())),
            )
            write_manifest(beside, manifest)
    except FileExistsError as error:
        raise StudioError(
            f"A dataset '{folder.name}' exists already in {folder.parent}. "
            "Choose another name, or ask for it to be replaced."
        ) from error
    except OSError as error:
        raise StudioError(
            f"Cannot write the dataset {folder}: {error.strerror or error}. Nothing was changed. "
            "Make room on the disk, or choose a place that can be written to, and try again."
        ) from error


def _check_image_size(image_size: int) -> None:
    if image_size not in IMAGE_SIZES:
        sizes = ", ".join(map(str, IMAGE_SIZES))
        raise StudioError(
            f"Pictures of {image_size} pixels cannot be trained on. Choose of {sizes}."
        )
