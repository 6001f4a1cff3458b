"""Datasets of letters: the fonts below a folder, drawn and kept as distance fields."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from renderers.progress import OnProgress, ignore_progress
from studio.datasets.folder import find_files, readable_name
from studio.datasets.fonts.font_reader import FontReader
from studio.datasets.fonts.glyphs import BOX_PX, UnusableFontError
from studio.datasets.fonts.screening import SeenFonts
from studio.datasets.prepared import LETTERS, PreparedDataset, count_reasons
from studio.datasets.writer import write_dataset
from studio.workspace.errors import StudioError

DUPLICATE = "the letters of another font"


def prepare_letters(
    source: Path,
    destination: Path,
    *,
    replace: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> PreparedDataset:
    """Prepare the letters of all fonts below a folder, in natural order.

    Every file is tried, whatever its name is, each font in a process that may be ended. What cannot
    be used is left out; the manifest names it with the reason.

    Args:
        source: the folder of fonts.
        destination: the dataset's folder; its last part is the dataset's name.
        replace: whether a dataset in destination is replaced.
        on_progress: told the number of files that are done, of all.

    Raises:
        StudioError: there is no such folder, no font in it can be used, or the destination is taken
            or cannot be written to.
    """
    files, skipped = find_files(source, "fonts")
    seen, words = SeenFonts(), f"fonts of {readable_name(source.name)}"
    with (
        closing(FontReader()) as reader,
        write_dataset(
            *(destination, BOX_PX, words), skipped=skipped, replace=replace, kind=LETTERS
        ) as writer,
    ):
        for done, file in enumerate(files, start=1):
            try:
                fields = reader.read(file)
                if seen.add(fields):
                    skipped.append((readable_name(file.relative_to(source)), DUPLICATE))
                else:
                    writer.append(fields)
            except UnusableFontError as reason:
                skipped.append((readable_name(file.relative_to(source)), str(reason)))
            on_progress(done, len(files))
        if not writer.pictures:
            raise StudioError(
                f"There is no font of use in {source}, where {len(files):,} files were tried: "
                f"{count_reasons(skipped)}. Give a folder of TrueType or OpenType fonts."
            )
    return PreparedDataset.open(destination)
