"""Datasets of folders: all pictures below a folder, prepared for training."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from renderers.progress import OnProgress, ignore_progress
from studio.datasets.fits import Fit
from studio.datasets.picture import (
    FORMATS,
    UnreadablePictureError,
    is_square,
    read_picture,
)
from studio.datasets.prepared import PreparedDataset
from studio.datasets.writer import write_dataset
from studio.workspace.errors import StudioError

Skipped = list[tuple[str, str]]  # (file, reason)


def prepare_folder(
    source: Path,
    destination: Path,
    image_size: int,
    *,
    fit: Fit = "crop",
    downscale: Sequence[int] = (),
    replace: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> PreparedDataset:
    """Prepare all pictures of a folder and of the folders in it, in natural order.

    Every file is tried, whatever its name is, and links are followed. What cannot be used is left
    out; the manifest names it with the reason. Hidden files are ignored.

    Args:
        source: the folder of pictures.
        destination: the dataset's folder; its last part is the dataset's name.
        image_size: a power of two, 32 to 1024 pixels.
        fit: see `picture.read_picture`.
        downscale: how many times as small the pictures are kept as well.
        replace: whether a dataset in destination is replaced.
        on_progress: told the number of files that are done, of all.

    Raises:
        StudioError: there is no such folder, none of its files can be read as a picture, the size
            is not possible, or the destination is taken or cannot be written to.
    """
    files, skipped = find_files(source)
    with write_dataset(
        *(destination, image_size, f"folder {readable_name(source.name)}"),
        skipped=skipped,
        fit=fit,
        downscale=downscale,
        replace=replace,
    ) as writer:
        for done, file in enumerate(files, start=1):
            try:
                writer.append(read_picture(file, image_size, fit))
                writer.not_square += not is_square(file)
            except UnreadablePictureError as reason:
                skipped.append((readable_name(file.relative_to(source)), str(reason)))
            on_progress(done, len(files))
        if not writer.pictures:
            name, reason_text = skipped[-1]
            raise StudioError(
                f"There are no pictures in {source}: none of its {len(skipped)} files can be read "
                f"as {', '.join(FORMATS)}, such as {name}: {reason_text}."
            )
    return PreparedDataset.open(destination)


def find_files(source: Path, wanted: str = "pictures") -> tuple[list[Path], Skipped]:
    """Find all files below a folder. Links are followed, and no folder is looked through twice.

    Args:
        source: the folder.
        wanted: what it should hold, for messages.

    Returns:
        Paths in natural order, `2.png` before `10.png`; and what is left out, with the reason.

    Raises:
        StudioError: there is no such folder, or no file in it.
    """
    if not source.exists():
        raise StudioError(f"There is no folder {source}. Check the path.")
    if not source.is_dir():
        raise StudioError(f"{source} is a file. Give the folder that holds the {wanted}.")
    files: list[Path] = []
    skipped: Skipped = []
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(source, followlinks=True):
        here = Path(folder).stat()
        if (here.st_dev, here.st_ino) in seen:
            folders.clear()
            name = readable_name(Path(folder).relative_to(source))
            skipped.append((name, "the same folder was looked through already"))
            continue
        seen.add((here.st_dev, here.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            if path.is_file():
                files.append(path)
            else:
                reason = "a link that leads nowhere" if path.is_symlink() else "no regular file"
                skipped.append((readable_name(path.relative_to(source)), reason))
    if not files:
        raise StudioError(f"There are no {wanted} in {source}: it has no files.")
    return sorted(files, key=lambda path: _natural_key(path.relative_to(source))), skipped


def readable_name(path: Path | str) -> str:
    """A name on disk as text that can be printed and written, whatever its bytes are."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _natural_key(path: Path) -> list[tuple[list[tuple[str, int]], str]]:
    """What to sort paths by: texts and numbers in turn, for each part of the path."""
    return [
        (
            [(text.lower(), int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", part)],
            part,
        )
        for part in path.parts
    ]
