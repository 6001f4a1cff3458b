"""Segments that a forger wrote: whole checksums around headers, tables and heads that lie."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import xxhash

from benchmarks.hostile_parts.mutations import NUMBERS, mutate_bytes, mutate_json
from checkpoints_index.storage import headers, segments
from checkpoints_index.storage.segments import Record

WHOLE = struct.Struct("<8sIQ")  # A header's magic, the length of its text, and the text's check.


def forge_segment(path: Path, drawn: random.Random) -> bytes:
    """The bytes of a segment in which the description, records or the table are others.

    Args:
        path: a genuine, finished one.
    """
    genuine = segments.read_segment(path)
    header = headers.pack_header(genuine.description or {})
    payloads = [segments.inspect_payload(record).content or b"" for record in genuine.records]
    kind = drawn.randrange(4)
    if kind < 2:
        header = _pack(mutate_json(genuine.description, drawn))
    records = [record._replace(parity=0) for record in genuine.records]
    content, placed = header, list[Record]()
    for record, payload in zip(records, payloads, strict=True):
        if kind == 2:
            payload = mutate_bytes(payload, drawn) if drawn.random() < 0.5 else payload
            record = _change_head(record, drawn) if drawn.random() < 0.5 else record
        claimed = record.payload_bytes if record.payload_bytes in NUMBERS else len(payload)
        check = xxhash.xxh3_64_intdigest(payload)
        record = record._replace(offset=len(content), payload_bytes=claimed, payload_xxh3=check)
        placed.append(record)
        content += segments.pack_head(record) + payload
    if drawn.random() < 0.3:
        return content  # It is read by a scan.
    if kind == 3:
        placed[drawn.randrange(len(placed))] = _change_head(drawn.choice(placed), drawn, True)
        placed *= drawn.choice((1, 1, 1000))
    table = header + drawn.choice((b"", b"", b"", b"x")) if kind == 3 else header
    return content + segments.pack_table(table, placed, path, len(content))


def _pack(text: bytes) -> bytes:
    """A header whose checksum is right, whatever its text is."""
    return WHOLE.pack(headers.SEGMENT_MAGIC, len(text), xxhash.xxh3_64_intdigest(text)) + text


def _change_head(record: Record, drawn: random.Random, anywhere: bool = False) -> Record:
    names = ["kind", "parity", "batch", "base", "payload_bytes", "integers_xxh3"]
    name = drawn.choice([*names, "offset"] if anywhere else names)
    small = name in ("kind", "parity")
    return record._replace(**{name: drawn.choice((0, 1, 2, 3, 4, 255) if small else NUMBERS)})
