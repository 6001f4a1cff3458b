"""Tensor bundles, in which TensorFlow keeps the variables of a SavedModel.

The index is a LevelDB table of names, with the shape, place and checksum of each tensor; the data
file has nothing but numbers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.importing.bounds.guard import open_once, read_bounded
from checkpoints_index.importing.bounds.tensors import MAX_TENSORS
from checkpoints_index.importing.formats.crc32c import masked_crc32c
from checkpoints_index.importing.formats.protobuf import raw, read_message, read_varint, whole

INDEX, DATA = "variables.index", "variables.data-00000-of-00001"
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER_BYTES, TRAILER_BYTES = 48, 5
MAX_INDEX_BYTES = 1 << 24
MAX_AXES = 8
MAX_NAME_BYTES = 4096
DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 2: np.dtype("<f8"), 19: np.dtype("<f2")}


@dataclass(frozen=True)
class BundleEntry:
    """Where a tensor lies.

    Args:
        dtype: TensorFlow's number of its dtype.
        shape: its shape.
        offset: its first byte in the data file.
        size_bytes: how many there are.
        checksum: its masked CRC-32C.
    """

    dtype: int
    shape: tuple[int, ...]
    offset: int
    size_bytes: int
    checksum: int


class TensorBundle:
    """The variables in a folder, whose index is read and checked at once.

    Args:
        folder: it holds INDEX and DATA.

    Raises:
        UnusableFileError: the index is damaged, or of a kind that is not known here.
        OSError: a file cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / DATA
        rows = dict(_read_table(read_bounded(folder / INDEX, MAX_INDEX_BYTES)))
        header = read_message(rows.pop("", b""))
        if whole(header, 1) != 1 or whole(header, 2) != 0:
            raise UnusableFileError("has its variables in several files, or in big-endian order")
        self.entries = {name: _read_entry(value) for name, value in rows.items()}

    def read(self, name: str, check: bool = True) -> np.ndarray:
        """A tensor by its name, of its own shape [...].

        Args:
            name: its name.
            check: hold it against its checksum.

        Raises:
            UnusableFileError: it is damaged, not there, or no plain numbers.
        """
        entry = self.entries.get(name)
        if entry is None:
            raise UnusableFileError(f"is damaged: it has no '{name}'")
        dtype = DTYPES.get(entry.dtype)
        if dtype is None:
            raise UnusableFileError(f"has '{name}' of a dtype that is not read ({entry.dtype})")
        size = math.prod(entry.shape) * dtype.itemsize
        with open_once(self._data) as opened, opened.path.open("rb") as file:
            if size != entry.size_bytes or entry.offset + size > opened.size_bytes:
                raise UnusableFileError(f"is damaged: '{name}' claims more than there is")
            content = os.pread(file.fileno(), size, entry.offset)
        if len(content) != size or (check and masked_crc32c(content) != entry.checksum):
            raise UnusableFileError(f"is damaged: '{name}' does not match its checksum")
        return np.frombuffer(content, dtype).reshape(entry.shape)


def _read_entry(content: bytes) -> BundleEntry:
    fields = read_message(content)
    axes = [
        whole(read_message(axis), 1) for m in raw(fields, 2) for axis in raw(read_message(m), 2)
    ]
    if len(axes) > MAX_AXES:
        raise UnusableFileError(f"has a tensor of {len(axes)} axes")
    numbers = (whole(fields, number) for number in (4, 5, 6))
    return BundleEntry(whole(fields, 1), tuple(axes), *numbers)


def _read_table(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The names and values of a LevelDB table."""
    if len(content) < FOOTER_BYTES or content[-8:] != MAGIC:
        raise UnusableFileError("is damaged: its index is no table of variables")
    footer, at, handle = content[-FOOTER_BYTES:], 0, []
    for _ in range(4):
        number, at = read_varint(footer, at)
        handle.append(number)
    count = 0
    for _, place in _read_block(content, handle[2], handle[3]):
        offset, at = read_varint(place, 0)
        size, _ = read_varint(place, at)
        for name, value in _read_block(content, offset, size):
            count += 1
            if count > MAX_TENSORS:
                raise UnusableFileError(f"has more than {MAX_TENSORS:,} tensors")
            yield name.decode(), value


def _read_block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block, whose names leave out what they share with the one before."""
    end = offset + size
    if end + TRAILER_BYTES > len(content) or size < 4:
        raise UnusableFileError("is damaged: a block of its index lies outside")
    if content[end]:
        raise UnusableFileError("has a compressed index, which is not read here")
    stated = int.from_bytes(content[end + 1 : end + TRAILER_BYTES], "little")
    if masked_crc32c(content[offset : end + 1]) != stated:
        raise UnusableFileError("is damaged: its index does not match its checksum")
    restarts = int.from_bytes(content[end - 4 : end], "little")
    block, at, name = content[offset : max(offset, end - 4 - 4 * restarts)], 0, b""
    while at < len(block):
        shared, at = read_varint(block, at)
        rest, at = read_varint(block, at)
        length, at = read_varint(block, at)
        too_long = shared + rest > MAX_NAME_BYTES
        if shared > len(name) or at + rest + length > len(block) or too_long:
            raise UnusableFileError("is damaged: an entry of its index lies outside")
        name = name[:shared] + block[at : at + rest]
        yield name, block[at + rest : at + rest + length]
        at += rest + length
