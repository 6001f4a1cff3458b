"""The file format: append-only segments that describe themselves.

A segment is a header (what is needed to rebuild every generator in it) and then records, one a
checkpoint. A record is a fixed head and a payload:

    magic  kind  batch  base  payload bytes  xxh3(payload)  xxh3(integers)  xxh3(head)

`kind` says whether the payload is whole (a key) or a difference to the record of batch `base`.
Everything is little-endian. A torn tail is where no whole record follows any more.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

SUFFIX = ".segment"
SEGMENT_MAGIC = b"CITYSEG1"
RECORD_MAGIC = b"CKPT"
KEY, DIFFERENCE = 0, 1

_SEGMENT_HEAD = struct.Struct("<8sIQ")  # magic, length of the JSON, xxh3(JSON)
_RECORD_HEAD = struct.Struct("<4sB3xQQQQQ")
_CHECK = struct.Struct("<Q")
RECORD_HEAD_BYTES = _RECORD_HEAD.size + _CHECK.size


class Record(NamedTuple):
    """Where one checkpoint lies, and how to know that it is whole."""

    path: Path
    offset: int  # of the record's head in the file
    kind: int
    batch: int
    base: int
    payload_bytes: int
    payload_xxh3: int
    integers_xxh3: int

    @classmethod
    def of(
        cls, path: Path, offset: int, batch: int, base: int | None, payload: bytes, integers: int
    ) -> Record:
        """The record of a payload that is about to be written; a key where `base` is None."""
        kind = KEY if base is None else DIFFERENCE
        base = batch if base is None else base
        check = xxhash.xxh3_64_intdigest(payload)
        return cls(path, offset, kind, batch, base, len(payload), check, integers)

    @property
    def end(self) -> int:
        return self.offset + RECORD_HEAD_BYTES + self.payload_bytes


@dataclass(frozen=True)
class Segment:
    """What a scan of one file found.

    `identity` tells a file from another that took its name; `description` is None where the
    header is damaged (or was not read); `lost` holds the offsets at which bytes that are no
    record lie between records; `whole_bytes` is where the last whole record ends.
    """

    path: Path
    identity: bytes
    description: dict[str, Any] | None
    records: list[Record]
    lost: list[int]
    whole_bytes: int
    file_bytes: int


def segment_path(folder: Path, first_batch: int) -> Path:
    return folder / f"{first_batch:012d}{SUFFIX}"


def pack_header(description: dict[str, Any]) -> bytes:
    text = json.dumps(description, sort_keys=True).encode()
    return _SEGMENT_HEAD.pack(SEGMENT_MAGIC, len(text), xxhash.xxh3_64_intdigest(text)) + text


def pack_record(record: Record, payload: bytes) -> bytes:
    """The bytes of one record, head and payload."""
    head = _RECORD_HEAD.pack(RECORD_MAGIC, *record[2:])
    return b"".join((head, _CHECK.pack(xxhash.xxh3_64_intdigest(head)), payload))


def read_payload(record: Record) -> bytes | None:
    """The payload, or None where its bytes are not those that were written."""
    with record.path.open("rb") as file:
        payload = os.pread(file.fileno(), record.payload_bytes, record.offset + RECORD_HEAD_BYTES)
    return payload if xxhash.xxh3_64_intdigest(payload) == record.payload_xxh3 else None


def scan_segment(path: Path, start: int = 0) -> Segment:
    """Find the records of a segment, reading their heads alone.

    Args:
        start: offset of a record to begin at; 0 reads the header first.
    """
    with path.open("rb") as file:
        descriptor = file.fileno()
        file_bytes = os.fstat(descriptor).st_size
        identity = os.pread(descriptor, _SEGMENT_HEAD.size, 0)
        description, offset = (None, start) if start else _read_header(descriptor, identity)
        records: list[Record] = []
        lost: list[int] = []
        whole_bytes = offset
        for item in _walk(path, descriptor, offset, file_bytes):
            if isinstance(item, Record):
                records.append(item)
                whole_bytes = item.end
            else:
                lost.append(item)
    if lost and lost[-1] >= whole_bytes:
        lost.pop()  # nothing whole follows it: that is a torn tail, not a hole
    return Segment(path, identity, description, records, lost, whole_bytes, file_bytes)


def list_segments(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def read_identity(path: Path) -> bytes:
    """The first bytes of a segment, which hold the checksum of its description."""
    with path.open("rb") as file:
        return file.read(_SEGMENT_HEAD.size)


def _read_header(descriptor: int, head: bytes) -> tuple[dict[str, Any] | None, int]:
    if len(head) < _SEGMENT_HEAD.size:
        return None, 0
    magic, length, check = _SEGMENT_HEAD.unpack(head)
    text = os.pread(descriptor, length, _SEGMENT_HEAD.size) if length < 1 << 26 else b""
    if magic != SEGMENT_MAGIC or xxhash.xxh3_64_intdigest(text) != check:
        return None, _SEGMENT_HEAD.size
    return json.loads(text), _SEGMENT_HEAD.size + length


def _walk(path: Path, descriptor: int, offset: int, file_bytes: int) -> Iterator[Record | int]:
    """Records in order; where something else lies, its offset, and on from the next record."""
    while offset < file_bytes:
        record = _read_record(path, descriptor, offset)
        if record is not None and record.end <= file_bytes:
            yield record
            offset = record.end
            continue
        yield offset
        offset = _find_record(path, descriptor, offset + 1, file_bytes)


def _read_record(path: Path, descriptor: int, offset: int) -> Record | None:
    head = os.pread(descriptor, RECORD_HEAD_BYTES, offset)
    if len(head) < RECORD_HEAD_BYTES or not head.startswith(RECORD_MAGIC):
        return None
    (check,) = _CHECK.unpack_from(head, _RECORD_HEAD.size)
    if xxhash.xxh3_64_intdigest(head[: _RECORD_HEAD.size]) != check:
        return None
    _, *fields = _RECORD_HEAD.unpack_from(head)
    return Record(path, offset, *fields)


def _find_record(path: Path, descriptor: int, offset: int, file_bytes: int) -> int:
    """The next offset at which a whole record begins, or the end of the file."""
    window = 1 << 20
    while offset < file_bytes:
        block = os.pread(descriptor, window + len(RECORD_MAGIC), offset)
        at = block.find(RECORD_MAGIC)
        if at < 0:
            offset += window
            continue
        candidate = _read_record(path, descriptor, offset + at)
        if candidate is not None and candidate.end <= file_bytes:
            return offset + at
        offset += at + 1
    return file_bytes
