"""Datasets of folders: all pictures below a folder, prepared for training."""

from __future__ import annotations

import re
from pathlib import Path

from renderers.progress import OnProgress, ignore_progress
from studio.datasets.picture import UnreadablePictureError, read_picture
from studio.datasets.prepared import PreparedDataset
from studio.datasets.writer import write_dataset
from studio.workspace.errors import StudioError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def prepare_folder(
    source: Path,
    destination: Path,
    image_size: int,
    *,
    replace: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> PreparedDataset:
    """Prepare all pictures of a folder and of the folders in it, in natural order.

    `picture.read_picture` makes each of them square. Files that cannot be read are left out; the
    manifest names them with the reason. Hidden files are ignored.

    Args:
        source: the folder of pictures.
        destination: the dataset's folder; its last part is the dataset's name.
        image_size: a power of two, 32 to 1024 pixels.
        replace: whether a dataset in destination is replaced.
        on_progress: told the number of files that are done, of all.

    Raises:
        StudioError: there is no such folder, none of its files can be read as a picture, the size
            is not possible, or the destination is taken or cannot be written to.
    """
    files = find_pictures(source)
    skipped: list[tuple[str, str]] = []
    with write_dataset(
        destination, image_size, f"folder {source.name}", skipped=skipped, replace=replace
    ) as writer:
        for done, file in enumerate(files, start=1):
            try:
                writer.append(read_picture(file, image_size))
            except UnreadablePictureError as reason:
                skipped.append((str(file.relative_to(source)), str(reason)))
            on_progress(done, len(files))
        if not writer.pictures:
            name, reason_text = skipped[0]
            raise StudioError(
                f"None of the {len(files)} pictures in {source} can be read; "
                f"the first, {name}: {reason_text}. Choose a folder of sound pictures."
            )
    return PreparedDataset.open(destination)


def find_pictures(source: Path) -> list[Path]:
    """Find all picture files below a folder by their suffix.

    Returns:
        Paths in natural order: `2.png` before `10.png`.

    Raises:
        StudioError: there is no such folder, or no picture in it.
    """
    if not source.exists():
        raise StudioError(f"There is no folder {source}. Check the path.")
    if not source.is_dir():
        raise StudioError(f"{source} is a file. Give the folder that holds the pictures.")
    files = [path for path in source.rglob("*") if _is_picture(path.relative_to(source), path)]
    if not files:
        raise StudioError(
            f"There are no pictures in {source}. Looked for files ending in {', '.join(SUFFIXES)}."
        )
    return sorted(files, key=lambda path: _natural_key(path.relative_to(source)))


def _is_picture(relative: Path, path: Path) -> bool:
    hidden = any(part.startswith(".") for part in relative.parts)
    return not hidden and path.suffix.lower() in SUFFIXES and path.is_file()


def _natural_key(path: Path) -> list[tuple[list[tuple[str, int]], str]]:
    """What to sort paths by: texts and numbers in turn, for each part of the path."""
    return [
        (
            [(text.lower(), int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", part)],
            part,
        )
        for part in path.parts
    ]
