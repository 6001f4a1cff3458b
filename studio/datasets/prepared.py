"""Prepared datasets: square pictures of one size, decoded once, memory-mapped to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.seals import Seal, seal_json, unseal_json
from studio.workspace.errors import EditedFileError, StudioError

PIXELS, MANIFEST = "pixels.npy", "manifest.json"
PICTURES, LETTERS = "pictures", "letters"  # Kinds of datasets.
FONT_LETTERS = 52  # A font has a to z, then A to Z.
MAX_REASONS = 12  # So many reasons for which files were left out are counted in words.
SAMPLED = 256  # So many pictures are looked at where the manifest has no digest.


@dataclass(frozen=True)
class Manifest:
    """What a prepared dataset holds and where it came from.

    Attributes:
        name: the name of the dataset's folder.
        image_size: width and height of a picture, or of a letter, in pixels.
        pictures: how many there are; the fonts in a dataset of letters.
        source: where they came from, in words.
        attribution: a notice that has to stand wherever they are shown; may be empty.
        skipped: (file, reason) for each file that could not be used.
        fit: how pictures that are not square were made so.
        not_square: how many of them there are.
        digest: xxh3 of all pixels, 16 hexadecimal digits; empty in those of older versions.
        small: (factor, digest) for each size in which the pictures are kept as well, so many times
            as small.
        kind: PICTURES, or LETTERS for the distance fields of fonts' letters.
    """

    name: str
    image_size: int
    pictures: int
    source: str
    attribution: str = ""
    skipped: tuple[tuple[str, str], ...] = ()
    fit: str = "crop"
    not_square: int = 0
    digest: str = ""
    small: tuple[tuple[int, str], ...] = ()
    kind: str = PICTURES

    @property
    def item_shape(self) -> tuple[int, int, int]:
        """The shape of one picture, or of the letters of one font.

        Raises:
            KeyError: the kind is one of a newer version.
        """
        size = self.image_size
        return {PICTURES: (size, size, 3), LETTERS: (FONT_LETTERS, size, size)}[self.kind]

    def describe(self) -> str:
        """How many of what size it holds.

        Example:
            >>> Manifest("maps", 64, 4096, "a map").describe()
            '4,096 pictures of 64 x 64 pixels'
        """
        what = {PICTURES: "pictures of", LETTERS: "fonts, letters of"}[self.kind]
        return f"{self.pictures:,} {what} {self.image_size} x {self.image_size} pixels"


@dataclass(frozen=True, eq=False)
class PreparedDataset:
    """An opened dataset: its manifest and its pixels.

    Attributes:
        folder: where it lies.
        manifest: what it holds.
        pixels: uint8 [N, image_size, image_size, 3], of letters [N, 52, image_size, image_size];
            memory-mapped, read-only.
    """

    folder: Path
    manifest: Manifest
    pixels: np.ndarray

    @classmethod
    def open(cls, folder: Path) -> PreparedDataset:
        """Open a dataset without reading its pixels into memory.

        Raises:
            StudioError: there is no dataset in the folder, or it is damaged.
        """
        if not (folder / MANIFEST).is_file():
            raise StudioError(
                f"There is no prepared dataset in {folder}. "
                f"Prepare one: studio datasets add FOLDER --name {folder.name} --image-size 64"
            )
        try:
            manifest = read_manifest(folder)
            expected = (manifest.pictures, *manifest.item_shape)
            pixels = np.load(folder / PIXELS, mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _damaged(folder, str(error)) from error
        if pixels.shape != expected or pixels.dtype != np.uint8:
            found = f"{PIXELS} holds {pixels.dtype} {list(pixels.shape)}"
            raise _damaged(folder, f"{found}, {MANIFEST} says uint8 {list(expected)}")
        return cls(folder, manifest, pixels)

    def __len__(self) -> int:
        return self.manifest.pictures

    def identity(self) -> dict[str, Any]:
        """What tells these pictures from others under the same name, as JSON can hold it.

        The digest is that of the manifest where it has one, else of a row of some of the pictures.
        """
        digest = self.manifest.digest or self._sample_digest()
        size, pictures = self.manifest.image_size, self.manifest.pictures
        return {"digest": digest, "pictures": pictures, "image_size": size}

    def small(self, factor: int) -> np.ndarray:
        """The pictures so many times as small, uint8 [N, s, s, 3], memory-mapped, read-only.

        Raises:
            StudioError: they are not kept so small, or their file is damaged.
        """
        name, size = self.manifest.name, self.manifest.image_size // factor
        if factor not in dict(self.manifest.small):
            raise StudioError(
                f"Dataset '{name}' does not keep its pictures {factor} times as small. "
                f"Let it: studio datasets downscale {name} --downscale {factor}"
            )
        try:
            file = self.folder / small_file(factor)
            pixels: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError, TypeError) as error:
            raise _damaged(self.folder, str(error)) from error
        expected = (len(self), size, size, 3)
        if pixels.shape != expected or pixels.dtype != np.uint8:
            found = f"{small_file(factor)} holds {pixels.dtype} {list(pixels.shape)}"
            raise _damaged(self.folder, f"{found}, and uint8 {list(expected)} was expected")
        return pixels

    def has_changed(self) -> bool:
        """Whether the pixels are others than when they were prepared; all of them are read."""
        return self.manifest.digest not in ("", _digest(self.pixels))

    def changed_small(self) -> list[tuple[int, str]]:
        """The factors whose small pictures are not those that were written, with the reason."""
        found = []
        for factor, digest in self.manifest.small:
            try:
                if _digest(self.small(factor)) != digest:
                    found.append((factor, "its checksum differs from that of the manifest"))
            except StudioError as error:
                found.append((factor, str(error)))
        return found

    def _sample_digest(self) -> str:
        hashed, middle = xxhash.xxh3_64(), self.manifest.image_size // 2
        for index in np.linspace(0, len(self) - 1, min(len(self), SAMPLED)).astype(int):
            hashed.update(np.ascontiguousarray(self.pixels[index, middle]).data)
        return f"rows:{hashed.hexdigest()}"


def count_reasons(skipped: Iterable[tuple[str, str]]) -> str:
    """How many files were left out for which reason, the most first.

    Example:
        >>> count_reasons([("a", "damaged"), ("b", "lacks a letter"), ("c", "damaged")])
        '2 damaged, 1 lacks a letter'
    """
    counts = Counter(reason for _, reason in skipped).most_common()
    named = [f"{count:,} {reason}" for reason, count in counts[:MAX_REASONS]]
    return ", ".join([*named, *(["..."] if len(counts) > MAX_REASONS else [])])


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a dataset; one without a seal is believed.

    Raises:
        EditedFileError: it can be read, but is not what was written.
        OSError, ValueError, TypeError, KeyError: there is none, or it cannot be read.
    """
    fields, seal = unseal_json((folder / MANIFEST).read_bytes())
    skipped = tuple((file, reason) for file, reason in fields.pop("skipped"))
    small = tuple((int(factor), str(digest)) for factor, digest in fields.pop("small", ()))
    manifest = Manifest(**fields, skipped=skipped, small=small)
    if seal is Seal.BROKEN:
        raise EditedFileError(folder / MANIFEST, 'its last entry, "xxh3", and the comma before it')
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a dataset with a seal, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    create_whole(folder / MANIFEST, seal_json(asdict(manifest), indent=2))


def small_file(factor: int) -> str:
    """The name of the file that holds the pictures so many times as small."""
    return f"pixels-x{factor}.npy"


def _digest(pixels: np.ndarray) -> str:
    """The xxh3 of all pixels, which are read a part at a time."""
    hashed = xxhash.xxh3_64()
    for first in range(0, len(pixels), SAMPLED):
        hashed.update(np.ascontiguousarray(pixels[first : first + SAMPLED]).data)
    return hashed.hexdigest()


def _damaged(folder: Path, reason: str) -> StudioError:
    return StudioError(f"The dataset in {folder} is damaged: {reason}. Prepare it again.")
