"""The file format: append-only segments that describe themselves.

A segment is a header, which holds what is needed to rebuild every generator in it, and then
records. A record is a fixed head and a payload:

    magic  kind  parity  batch  base  payload bytes  xxh3(payload)  xxh3(integers)  xxh3(head)

`kind` says what the payload holds:

- `KEY`:        the integers of a checkpoint, whole;
- `DELTA`:      their difference to those of batch `base`, the checkpoint before;
- `SKIP_DELTA`: their difference to those of a base further back. The checkpoint has another record
                as well; this one is a second, shorter path to it;
- `TABLE`:      the header once more, and the heads of all records with their offsets. It is the
                last record of a finished segment, so that the segment is listed with one read and
                outlives a damaged header. A trailer behind it says where it begins;
- `TRACKED_DELTA`: a delta that nobody can undo, nor apply who has not walked to its base from the
                last key, skip delta or plain delta on, as trackers of the integers do.

Where `parity` is 1, a way back to the payload stands behind it (`storage/parity.py`), and counts
as a part of it. A flipped bit of a head is found by trying them all.

Numbers are little-endian. Where no whole record follows any more, the segment has a torn tail.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

from checkpoints_index.storage import headers, parity
from checkpoints_index.storage.payload_room import PayloadRoom

FORMAT = 2
PREDICTING_FORMAT = 3  # The same, where differences may be predicted: new runs of exact storage.
TRACKING_FORMAT = 4  # The same, where lattices may be tracked: new runs of visual storage.
FORMATS = (FORMAT, PREDICTING_FORMAT, TRACKING_FORMAT)
SUFFIX = ".segment"
RECORD_MAGIC = b"CKPT"
TABLE_MAGIC = b"CITYTAB2"
KEY, DELTA, SKIP_DELTA, TABLE, TRACKED_DELTA = range(5)  # the kinds of records

_RECORD_HEAD = struct.Struct("<4sBB2xQQQQQ")  # magic, and the numbers of `Record`
_CHECK = struct.Struct("<Q")  # xxh3 of the bytes before it
_TABLE_ROW = struct.Struct("<QBB2xQQQQQ")  # offset of a record, and the numbers of its head
_TRAILER = struct.Struct("<8sQQ")  # magic, offset of the table, xxh3(offset)
MAX_BATCH = 2**63 - 1  # What a database keeps; a higher number is damage.
RECORD_HEAD_BYTES = _RECORD_HEAD.size + _CHECK.size

log = logging.getLogger(__name__)


class Record(NamedTuple):
    """Where one payload lies, and how to know that it is whole.

    Attributes:
        path: the segment.
        offset: byte of the segment at which the record's head begins.
        kind: KEY, DELTA, SKIP_DELTA, TABLE or TRACKED_DELTA.
        parity: 1 where the payload ends in its parity; 0 in segments of older versions.
        batch: the checkpoint that the record leads to.
        base: the checkpoint that it leads from; the same batch for a key.
        payload_bytes: length of the payload behind the head, with its parity.
        payload_xxh3: checksum of the payload.
        integers_xxh3: checksum of the checkpoint's integers once decoded.
    """

    path: Path
    offset: int
    kind: int
    parity: int
    batch: int
    base: int
    payload_bytes: int
    payload_xxh3: int
    integers_xxh3: int

    @property
    def end(self) -> int:
        """Byte of the segment behind the payload."""
        return self.offset + RECORD_HEAD_BYTES + self.payload_bytes


class PendingRecord(NamedTuple):
    """A record that has no place in a file yet; its fields mean what those of `Record` do."""

    kind: int
    batch: int
    base: int
    payload: bytes
    integers_xxh3: int
    parity: int = 0

    def at(self, path: Path, offset: int) -> Record:
        """The record at its place in a segment."""
        check = xxhash.xxh3_64_intdigest(self.payload)
        sizes = len(self.payload), check, self.integers_xxh3
        return Record(path, offset, self.kind, self.parity, self.batch, self.base, *sizes)

    def with_parity(self) -> PendingRecord:
        """The same record, with the way back to its payload behind it."""
        return self._replace(payload=self.payload + parity.make_parity(self.payload), parity=1)


@dataclass(frozen=True)
class Segment:
    """What a look at one file found.

    Attributes:
        path: the file.
        identity: its first bytes, which tell it from another file that took its name.
        description: what its header says; None where that is damaged, or was not read.
        records: its whole records in their order, without the table.
        lost: offsets at which bytes that are no record lie between records.
        whole_bytes: where the last whole record ends.
        file_bytes: the size of the file.
        changed_ns: when the file was changed last, in nanoseconds.
        finished: whether a table closes it.
    """

    path: Path
    identity: bytes
    description: dict[str, Any] | None
    records: list[Record]
    lost: list[int]
    whole_bytes: int
    file_bytes: int
    changed_ns: int
    finished: bool = False


def segment_path(folder: Path, first_batch: int) -> Path:
    """The file of the segment that begins with a batch, so named that names sort as batches do.

    Example:
        >>> segment_path(Path("checkpoints"), 320).name
        '000000000320.segment'
    """
    return folder / f"{first_batch:012d}{SUFFIX}"


def pack_head(record: Record) -> bytes:
    """The bytes of a record that stand before its payload, RECORD_HEAD_BYTES of them."""
    head = _RECORD_HEAD.pack(RECORD_MAGIC, *record[2:])
    return head + _CHECK.pack(xxhash.xxh3_64_intdigest(head))


def pack_table(header: bytes, records: Iterable[Record], path: Path, offset: int) -> bytes:
    """The table that finishes a segment, and its trailer.

    Args:
        header: what `headers.pack_header` gave for the segment.
        records: all its records, in their order.
        path: the segment.
        offset: byte of the segment at which the table will begin.
    """
    payload = header + b"".join(_TABLE_ROW.pack(*record[1:]) for record in records)
    table = PendingRecord(TABLE, 0, 0, payload, 0).at(path, offset)
    trailer = _TRAILER.pack(TABLE_MAGIC, offset, xxhash.xxh3_64_intdigest(_CHECK.pack(offset)))
    return pack_head(table) + payload + trailer


class Payload(NamedTuple):
    """What lies behind the head of a record.

    Attributes:
        content: the payload that was written, without its parity; None where it is lost.
        is_damaged: whether bytes of it have changed on disk, be they repaired here or not.
    """

    content: bytes | memoryview | None
    is_damaged: bool


def read_payload(record: Record, room: PayloadRoom | None = None) -> bytes | memoryview | None:
    """The payload, repaired where it has to be; None where its bytes are lost.

    Args:
        room: where it is read to, if it is large; it stands there until that is emptied.

    Raises:
        OSError: the file is gone or cannot be read.
    """
    found = inspect_payload(record, room)
    if found.is_damaged and found.content is not None:
        log.warning("%s: repaired the bytes of batch %d", record.path.name, record.batch)
    return found.content


def inspect_payload(record: Record, room: PayloadRoom | None = None) -> Payload:
    """The payload, and whether its bytes are those that were written.

    Args:
        room: see `read_payload`.

    Raises:
        OSError: the file is gone or cannot be read.
    """
    total, start = record.payload_bytes, record.offset + RECORD_HEAD_BYTES
    length = parity.payload_length(total) if record.parity else total
    with record.path.open("rb") as file:  # Both apart, since a large payload is slow to copy.
        content = _read(file.fileno(), length, start, room)
        behind = os.pread(file.fileno(), total - length, start + length)
    digest = xxhash.xxh3_64(content)
    digest.update(behind)
    if digest.intdigest() == record.payload_xxh3:
        return Payload(content, is_damaged=False)
    if not record.parity or len(content) + len(behind) < total:
        return Payload(None, is_damaged=True)
    whole = parity.restore(bytes(content) + behind, length, record.payload_xxh3)
    return Payload(whole and whole[:length], is_damaged=True)


def _read(file: int, length: int, start: int, room: PayloadRoom | None) -> bytes | memoryview:
    taken = room.take(length) if room else None
    if taken is None:
        return os.pread(file, length, start)
    return taken[: os.preadv(file, [taken], start)]


def has_whole_head(record: Record) -> bool:
    """Whether the head of a record stands in its segment as it was written.

    Raises:
        OSError: the file is gone or cannot be read.
    """
    with record.path.open("rb") as file:
        return os.pread(file.fileno(), RECORD_HEAD_BYTES, record.offset) == pack_head(record)


def read_segment(path: Path) -> Segment:
    """Find the records of a segment: in its table, or by scanning where it has none.

    Raises:
        OSError: the file is gone or cannot be read.
    """
    with path.open("rb") as file:
        descriptor = file.fileno()
        state = os.fstat(descriptor)
        file_bytes, changed_ns = state.st_size, state.st_mtime_ns
        identity = os.pread(descriptor, headers.HEAD_BYTES, 0)
        table = _read_table(path, descriptor, file_bytes)
    if table is None:
        return scan_segment(path)
    description, records = table
    sizes = file_bytes, file_bytes, changed_ns
    return Segment(path, identity, description, records, [], *sizes, finished=True)


def scan_segment(path: Path, start: int = 0) -> Segment:
    """Find the records of a segment, reading the head of each of them.

    Args:
        path: the segment.
        start: offset of a record to begin at; 0 reads the header first.

    Raises:
        OSError: the file is gone or cannot be read.
    """
    with path.open("rb") as file:
        descriptor = file.fileno()
        state = os.fstat(descriptor)
        file_bytes, changed_ns = state.st_size, state.st_mtime_ns
        identity = os.pread(descriptor, headers.HEAD_BYTES, 0)
        header = headers.Header(None, start, False) if start else headers.read_header(path)
        if header.is_damaged and header.description is not None:
            log.warning("%s: repaired the bytes of its header", path.name)
        records: list[Record] = []
        lost: list[int] = []
        whole_bytes, finished = header.end, False
        for item in _scan_records(path, descriptor, header.end, file_bytes):
            if isinstance(item, Record) and item.kind == TABLE:
                finished = item.end + _TRAILER.size == file_bytes
                whole_bytes = item.end + _TRAILER.size
            elif isinstance(item, Record):
                records.append(item)
                whole_bytes = item.end
            else:
                lost.append(item)
    lost = [offset for offset in lost if offset < whole_bytes - _TRAILER.size * finished]
    whole_bytes = min(whole_bytes, file_bytes)
    sizes = whole_bytes, file_bytes, changed_ns
    return Segment(path, identity, header.description, records, lost, *sizes, finished)


def list_segments(folder: Path) -> list[Path]:
    """The segments of a folder of checkpoints, in the order of their batches."""
    return [folder / name for name in sorted(look_at_files(folder))]


def look_at_files(folder: Path) -> dict[str, tuple[int, int, int]]:
    """The names of the segments of a folder; of each its bytes, when it changed, and its number.

    It is the same as before where nothing has happened, which is told fast: a run of 20,000
    checkpoints has hundreds of segments, and pages ask for each picture.
    """
    try:
        with os.scandir(folder) as entries:
            mine = [entry for entry in entries if entry.name.endswith(SUFFIX)]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = {}
    for entry in mine:
        with suppress(FileNotFoundError):  # Thinning removed it meanwhile.
            state = entry.stat()
            found[entry.name] = (state.st_size, state.st_mtime_ns, state.st_ino)
    return found


def read_identity(path: Path) -> bytes:
    """The first bytes of a segment, which hold the checksum of its description."""
    with path.open("rb") as file:
        return file.read(headers.HEAD_BYTES)


def _read_table(
    path: Path, descriptor: int, file_bytes: int
) -> tuple[dict[str, Any] | None, list[Record]] | None:
    """The description and the records in the table of a finished segment.

    Returns:
        None where there is no whole table, or one whose records could not lie before it.
    """
    trailer = os.pread(descriptor, _TRAILER.size, max(0, file_bytes - _TRAILER.size))
    if len(trailer) < _TRAILER.size or not trailer.startswith(TABLE_MAGIC):
        return None
    _, offset, check = _TRAILER.unpack(trailer)
    if xxhash.xxh3_64_intdigest(_CHECK.pack(offset)) != check or offset > file_bytes:
        return None
    table = _read_record(path, descriptor, offset)
    if table is None or table.kind != TABLE or table.end + _TRAILER.size != file_bytes:
        return None
    payload = os.pread(descriptor, table.payload_bytes, offset + RECORD_HEAD_BYTES)
    if xxhash.xxh3_64_intdigest(payload) != table.payload_xxh3:
        return None
    description, start, _ = headers.parse_header(payload)
    rows = memoryview(payload)[start:]
    if len(rows) % _TABLE_ROW.size:
        return None
    records = [Record(path, *row) for row in _TABLE_ROW.iter_unpack(rows)]
    starts = {record.offset for record in records}
    is_sound = all(record.kind != TABLE and _may_be(record, offset) for record in records)
    return (description, records) if is_sound and len(starts) == len(records) else None


def _may_be(record: Record, end: int) -> bool:
    """Whether a record could have been written, and ends before a byte of the segment."""
    known = record.kind <= TRACKED_DELTA and record.parity <= 1
    return known and max(record.batch, record.base) <= MAX_BATCH and record.end <= end


def _scan_records(
    path: Path, descriptor: int, offset: int, file_bytes: int
) -> Iterator[Record | int]:
    """The records in order; where something else lies, its offset, and on from the next record."""
    while offset < file_bytes:
        record = _read_record(path, descriptor, offset)
        if record is not None and _may_be(record, file_bytes):
            yield record
            offset = record.end
            continue
        yield offset
        offset = _find_record(path, descriptor, offset + 1, file_bytes)


def _read_record(path: Path, descriptor: int, offset: int, mend: bool = True) -> Record | None:
    """The record whose head lies at an offset; None where no whole head does.

    Args:
        mend: whether one flipped bit of the head is put right.
    """
    head = os.pread(descriptor, RECORD_HEAD_BYTES, offset)
    if len(head) < RECORD_HEAD_BYTES:
        return None
    if not _is_head(head):
        mended = _mend_head(head) if mend else None
        if mended is None:
            return None
        head = mended
    _, *fields = _RECORD_HEAD.unpack_from(head)
    return Record(path, offset, *fields)


def _is_head(head: bytes) -> bool:
    (check,) = _CHECK.unpack_from(head, _RECORD_HEAD.size)
    whole = xxhash.xxh3_64_intdigest(head[: _RECORD_HEAD.size]) == check
    return whole and head.startswith(RECORD_MAGIC)


def _mend_head(head: bytes) -> bytes | None:
    """The head that differs from this one in one bit; None where there is none."""
    return next(filter(_is_head, headers.flip_each_bit(head, range(len(head)))), None)


def _find_record(path: Path, descriptor: int, offset: int, file_bytes: int) -> int:
    """The next offset at which a whole record begins, or the end of the file."""
    window = 1 << 20
    while offset < file_bytes:
        block = os.pread(descriptor, window + len(RECORD_MAGIC), offset)
        at = block.find(RECORD_MAGIC)
        if at < 0:
            offset += window
            continue
        candidate = _read_record(path, descriptor, offset + at, mend=False)
        if candidate is not None and _may_be(candidate, file_bytes):
            return offset + at
        offset += at + 1
    return file_bytes
