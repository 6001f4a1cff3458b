"""Thumbnails in sprite sheets, written as they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from PIL import Image

from renderers.pictures.picture_file import save_picture

SPRITE_PX = 64  # Width and height of a thumbnail; less where the pictures are smaller.
PER_ROW = 32
PER_SHEET = PER_ROW**2
QUALITY = 88


class SpriteSheets:
    """Takes thumbnails as they come, and writes them into sheets, `sprites-00000.jpg` and so on.

    Until their order is known, the thumbnails lie in a file without a name: memory does not grow
    with them, and nothing stays of them, however the process ends.

    Slot i stands in sheet i // PER_SHEET, there in row i % PER_SHEET // PER_ROW, in column
    i % PER_ROW. The last sheet ends with its last row.

    Args:
        folder: where the sheets are written; it is there.
        size_px: width and height of a thumbnail.
    """

    def __init__(self, folder: Path, size_px: int) -> None:
        self._folder, self._size_px = folder, size_px
        self._taken = 0
        self._waiting = TemporaryFile(dir=folder)  # noqa: SIM115  `close` closes it.

    def add(self, frames: np.ndarray) -> None:
        """Take the pictures of further points: uint8 [N, H, W, 3]."""
        for frame in frames:
            self._waiting.write(np.ascontiguousarray(shrink(frame, self._size_px)).data)
        self._taken += len(frames)

    def close(self, order: np.ndarray | None = None) -> None:
        """Write the sheets, and remove those of an earlier atlas that had more points.

        Args:
            order: int [N], the point that stands in each slot; as they came by default.
        """
        slots = np.arange(self._taken) if order is None else order
        size, sheets = self._size_px, -(-self._taken // PER_SHEET)
        self._waiting.flush()
        if self._taken:
            shape = (self._taken, size, size, 3)
            sprites = np.memmap(self._waiting, np.uint8, "r", shape=shape)
            for number in range(sheets):
                part = slots[number * PER_SHEET : (number + 1) * PER_SHEET]
                self._write(number, sprites[part])
            del sprites
        self._waiting.close()
        for path in sheet_paths(self._folder, sheets):
            path.unlink()

    def _write(self, number: int, sprites: np.ndarray) -> None:
        size, rows = self._size_px, -(-len(sprites) // PER_ROW)
        sheet = np.zeros((rows, PER_ROW, size, size, 3), np.uint8)
        sheet.reshape(-1, size, size, 3)[: len(sprites)] = sprites
        picture = sheet.swapaxes(1, 2).reshape(rows * size, PER_ROW * size, 3)
        save_picture(picture, self._folder / sheet_name(number), QUALITY)


def order_slots(coordinates: np.ndarray) -> np.ndarray:
    """Which point stands in each slot, so that whoever looks at a part of a map needs few sheets.

    The first sheet has the first points, which are anywhere on the map; the others follow a curve
    that keeps what is near together (Morton 1966).

    Args:
        coordinates: float [N, 2], places on the map, 0..1.

    Returns:
        int64 [N].
    """
    steps = np.clip(coordinates[PER_SHEET:] * 1023, 0, 1023).astype(np.int64)
    bits = np.arange(10)
    spread = (steps[:, :, None] >> bits & 1) << (2 * bits)
    along = (spread.sum(2) << np.arange(2)).sum(1)
    rest = PER_SHEET + np.argsort(along, kind="stable")
    return np.concatenate([np.arange(min(PER_SHEET, len(coordinates))), rest])


def sheet_name(number: int) -> str:
    """The file of a sheet.

    Example:
        >>> sheet_name(3)
        'sprites-00003.jpg'
    """
    return f"sprites-{number:05}.jpg"


def sheet_paths(folder: Path, first: int = 0) -> list[Path]:
    """The sheets of a folder in their order, from a number on."""
    return [path for path in sorted(folder.glob("sprites-*.jpg")) if path.name >= sheet_name(first)]


def read_sprites(folder: Path, size_px: int, slots: np.ndarray) -> Iterator[np.ndarray]:
    """The thumbnails of points, each uint8 [size_px, size_px, 3].

    Args:
        slots: int [N], the slot of each point. Each sheet is read once for each run of slots in it.
    """
    number, sheet = -1, np.empty(0)
    for slot in slots:
        if number != slot // PER_SHEET:
            number = int(slot // PER_SHEET)
            sheet = np.asarray(Image.open(folder / sheet_name(number)).convert("RGB"))
        y, x = slot % PER_SHEET // PER_ROW * size_px, slot % PER_ROW * size_px
        yield sheet[y : y + size_px, x : x + size_px]


def shrink(frame: np.ndarray, size_px: int) -> np.ndarray:
    """A frame, uint8 [H, W, 3], scaled to [size_px, size_px, 3]."""
    if frame.shape[:2] == (size_px, size_px):
        return frame
    return np.asarray(Image.fromarray(frame).resize((size_px, size_px), Image.Resampling.LANCZOS))
