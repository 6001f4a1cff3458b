"""What a dataset looks like: a sheet of its pictures, and some numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import xxhash
from PIL import Image

from checkpoints_index.generators.letters.fields import EDGE, FALLOFF
from renderers.pictures.sheets import Sheet, arrange_grid
from studio.datasets.prepared import LETTERS, PICTURES, PreparedDataset

COLUMNS = 8  # Pictures in a row of a sheet, which has half as many rows.
MAX_SHEET_PX = 1024  # The longest side of a sheet.
LOOKED_AT = 512  # So many pictures, from all over a dataset, tell what it is like;
MIN_LOOKED_AT, MAX_READ = 32, 64_000_000  # fewer where they are large. Bytes.
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


class DatasetNumbers(NamedTuple):
    """What pictures from all over a dataset are like; levels are of 0..255.

    Attributes:
        looked_at: how many they are.
        colour: their mean, as #rrggbb.
        brightness: the mean of their luma.
        contrast: the mean of the standard deviation of luma within a picture.
        variety: the standard deviation of brightness from picture to picture.
        twins: how many of them are, pixel for pixel, another one once more.
    """

    looked_at: int
    colour: str
    brightness: float
    contrast: float
    variety: float
    twins: int


def draw_dataset(dataset: PreparedDataset, columns: int = COLUMNS) -> np.ndarray:
    """Pictures from all over a dataset, row by row: uint8 [height, width, 3].

    Args:
        columns: at least 1; there are half as many rows, rounded up.
    """
    edge = min(len(show_item(dataset, 0)), MAX_SHEET_PX // columns)
    count = min(len(dataset), columns * -(-columns // 2))
    pictures = np.empty((count, edge, edge, 3), np.uint8)
    for shown, picture in zip(pictures, _spread(dataset, count), strict=True):
        image = Image.fromarray(picture)
        shown[:] = np.asarray(image.resize((edge, edge), Image.Resampling.LANCZOS))
    return arrange_grid(pictures, columns)


def draw_titled(dataset: PreparedDataset) -> np.ndarray:
    """The sheet with what it shows above, and whom it is owed to below: uint8 [H, W, 3]."""
    grid, manifest = draw_dataset(dataset), dataset.manifest
    title = f"{dataset.folder.name}: {manifest.describe()}"
    sheet = Sheet(1, 1, *grid.shape[:2], title=title, footer=manifest.attribution)
    sheet.add(0, grid)
    return sheet.picture


def measure_dataset(dataset: PreparedDataset) -> DatasetNumbers:
    """What a dataset is like, by up to LOOKED_AT of its pictures, read one at a time."""
    affordable = MAX_READ // dataset.pixels[0].nbytes
    count = min(len(dataset), LOOKED_AT, max(affordable, MIN_LOOKED_AT))
    means, brightness, contrast = np.empty((count, 3)), np.empty(count), np.empty(count)
    seen = set()
    for number, picture in enumerate(_spread(dataset, count)):
        luma = picture @ LUMA
        means[number] = picture.mean((0, 1))
        brightness[number], contrast[number] = luma.mean(), luma.std()
        seen.add(xxhash.xxh3_64_digest(picture.data))
    red, green, blue = np.rint(means.mean(0)).astype(int)
    return DatasetNumbers(
        looked_at=count,
        colour=f"#{red:02x}{green:02x}{blue:02x}",
        brightness=float(brightness.mean()),
        contrast=float(contrast.mean()),
        variety=float(brightness.std()),
        twins=count - len(seen),
    )


def describe_look(dataset: PreparedDataset, numbers: DatasetNumbers) -> str:
    """What is in a dataset in a sentence or two."""
    if dataset.manifest.kind == PICTURES:
        return describe_numbers(numbers)
    return "A sheet shows both cases of a letter for each font, their distance fields above."


def describe_numbers(numbers: DatasetNumbers) -> str:
    """What pictures are like in a sentence or two."""
    said = (
        f"Mean colour {numbers.colour}; brightness {numbers.brightness:.0f} of 255, give or take "
        f"{numbers.variety:.0f} from picture to picture; contrast within one "
        f"{numbers.contrast:.0f}."
    )
    if numbers.twins:
        said += f" {numbers.twins:,} of {numbers.looked_at:,} are another one once more."
    return said


def _spread(dataset: PreparedDataset, count: int) -> Iterator[np.ndarray]:
    """Pictures at even distances, the first to the last: uint8 [size, size, 3] each."""
    for place, number in enumerate(np.linspace(0, len(dataset) - 1, count).round().astype(int)):
        yield show_item(dataset, int(number), place)


def show_item(dataset: PreparedDataset, number: int, place: int = 0) -> np.ndarray:
    """A picture of a dataset; of a font, both cases of one letter, their fields above.

    Args:
        number: which picture, or font.
        place: where on a sheet it is shown; each shows the next letter.

    Returns:
        uint8 [size, size, 3].
    """
    item = np.ascontiguousarray(dataset.pixels[number])
    return SHOWN[dataset.manifest.kind](item, place)


def _show_letter(fields: np.ndarray, place: int) -> np.ndarray:
    """Both cases of a letter of a font, uint8 [52, 36, 36]: uint8 [72, 72, 3]."""
    cases = len(fields) // 2
    both = np.concatenate([fields[place % cases], fields[cases + place % cases]], 1)
    # Across an edge, ink goes from none to full within a pixel.
    ink = np.clip((both / 255 - EDGE) / FALLOFF + 0.5, 0, 1)
    sheet = np.concatenate([255 - both // 2, np.rint(255 * (1 - ink)).astype(np.uint8)])
    return np.repeat(sheet[..., None], 3, axis=2)


SHOWN: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    PICTURES: lambda picture, place: picture,
    LETTERS: _show_letter,
}
