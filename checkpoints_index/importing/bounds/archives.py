"""Zip archives: what they unpack to is known, and bounded, before anything is unpacked."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.importing.bounds.guard import TORCHSCRIPT, may_hold

ZIP = b"PK\x03\x04"
LOCAL_HEADER = struct.Struct("<26xHH")  # It ends in the lengths of a name and of an extra field.
MAX_ENTRIES = 50_000
MAX_PICKLE_BYTES = 1 << 26  # Weights lie beside it; the names of a million tensors fit in.


def bound_torch_archive(path: Path, file_bytes: int) -> dict[int, int]:
    """Refuse an archive that `torch.save` did not write: it compresses nothing, nor says it twice.

    Returns:
        The bytes of each part, by the byte of the file that it begins at.

    Raises:
        UnusableFileError: the reason.
        BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        entries = _entries(archive)
        starts = [_find_start(file, entry) for entry in entries]
    if any("/code/" in entry.filename for entry in entries):
        raise UnusableFileError(TORCHSCRIPT)
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise UnusableFileError("has compressed parts, unlike files of torch.save")
        if entry.filename.endswith(".pkl") and entry.file_size > MAX_PICKLE_BYTES:
            raise UnusableFileError(f"has '{entry.filename}' of {entry.file_size:,} bytes")
    if sum(entry.file_size for entry in entries) > file_bytes:
        raise UnusableFileError("is damaged: its parts claim more bytes than it has")
    return {start: entry.file_size for start, entry in zip(starts, entries, strict=True)}


def bound_archive(archive: zipfile.ZipFile, file_bytes: int) -> None:
    """Refuse an archive that unpacks to far more than it is, or has parts that do not fit.

    Args:
        archive: the archive.
        file_bytes: size of its file.

    Raises:
        UnusableFileError: the reason.
    """
    unpacked = sum(entry.file_size for entry in _entries(archive))
    if not may_hold(file_bytes, unpacked):
        raise UnusableFileError(
            f"would unpack to {unpacked:,} bytes, far more than its {file_bytes:,}"
        )


def check_sums(path: Path) -> None:
    """Hold all bytes of an archive, whose size was bounded, against its checksums.

    Raises:
        UnusableFileError: a part does not match.
        BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
    if broken is not None:
        raise UnusableFileError(f"is damaged: '{broken}' in it does not match its checksum")


def _entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise UnusableFileError(f"has {len(entries):,} parts, at most {MAX_ENTRIES:,} are read")
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise UnusableFileError("is damaged: two of its parts have one name")
    return entries


def _find_start(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """The first byte of a part, behind its own header, whose name and extra may be longer."""
    head = os.pread(file.fileno(), LOCAL_HEADER.size, entry.header_offset)
    name_bytes, extra_bytes = LOCAL_HEADER.unpack(head)
    return int(entry.header_offset + LOCAL_HEADER.size + name_bytes + extra_bytes)
