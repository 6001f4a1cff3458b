"""OpenStreetMap extracts that were mutated: bytes, blobs, and the messages that are packed in them.

A map that is drawn has the size of the genuine one, or of the box that the mutant says.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile_parts.mutations import NUMBERS, mutate_bytes, mutate_parts
from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    count_outcomes,
    open_yard,
)
from checkpoints_index.importing.formats.protobuf import raw, read_message, whole
from studio.datasets.maps.city_map import draw_extract
from studio.datasets.maps.osm_extract import read_extract
from studio.workspace.errors import EXPECTED_ERRORS

SIDE = 0.004  # Degrees; about 400 m.


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of drawing so many mutants of one small map; none where osmium is missing."""
    with open_yard() as yard:
        path = yard.inside / "map.osm.pbf"
        if not _write_map(path):
            return Counter()
        content = path.read_bytes()
        genuine = np.asarray(draw_extract(read_extract(path), 2.0))
        seeds = range(seed, seed + count)
        return count_outcomes(seeds, lambda at: _draw_mutant(at, path, content, genuine), yard)


def _draw_mutant(seed: int, path: Path, content: bytes, genuine: np.ndarray) -> str:
    drawn = random.Random(seed)
    mutate = drawn.choice((mutate_bytes, _mutate_blobs, _mutate_inside, _mutate_inside))
    path.write_bytes(mutate(content, drawn))
    try:
        extract = read_extract(path)
        drawn_map = np.asarray(draw_extract(extract, 2.0))
    except EXPECTED_ERRORS as error:
        return REFUSED if " " in str(error).strip() else TRACEBACK
    sides = [round(extract.height_m / 2.0), round(extract.width_m / 2.0)]
    fits = [*drawn_map.shape] == [*sides, 3] and drawn_map.dtype == genuine.dtype
    return HARMLESS if fits else SILENTLY_WRONG


def _write_map(path: Path) -> bool:
    """A map of streets, houses, a lake with an island, and a shore; False without osmium."""
    try:
        import osmium
        from osmium.osm import Box, Location
        from osmium.osm import mutable as make
    except ImportError:
        return False
    numbers = random.Random(0)
    header = osmium.io.Header()
    header.add_box(Box(Location(25.0, 60.0), Location(25.0 + SIDE, 60.0 + SIDE)))
    writer: Any = osmium.SimpleWriter(str(path), header=header)
    places = [(numbers.random(), numbers.random()) for _ in range(60)]
    places += [(-0.5, 0.3), (1.5, 0.3)]
    for at, (x, y) in enumerate(places, 1):
        writer.add_node(make.Node(id=at, location=(25.0 + SIDE * x, 60.0 + SIDE * y), version=1))
    tags: list[dict[str, str]] = [
        *({"highway": kind} for kind in ("primary", "residential", "footway")),
        *({"building": "yes", "building:levels": levels} for levels in ("1", "5", "x")),
        *({"natural": "water"}, {"railway": "rail"}, {"leisure": "park"}),
    ]
    for at, told in enumerate(tags):
        nodes = [1 + 5 * at + i for i in range(4)]
        nodes += nodes[:1] if {"building", "natural", "leisure"} & told.keys() else []
        writer.add_way(make.Way(id=at + 1, nodes=nodes, tags=told, version=1))
    shore = make.Way(id=50, nodes=[61, 50, 51, 62], tags={"natural": "coastline"}, version=1)
    writer.add_way(shore)
    members = [("w", 4, "outer"), ("w", 5, "inner")]
    told = {"type": "multipolygon", "landuse": "forest"}
    writer.add_relation(make.Relation(id=1, members=members, tags=told, version=1))
    writer.close()
    return True


def _cut_blobs(content: bytes) -> list[tuple[bytes, bytes]]:
    """The kind of each blob, and its message as it is before it is packed."""
    found, at = [], 0
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        header = read_message(content[at + 4 : at + 4 + length])
        start, at = at + 4 + length, at + 4 + length + whole(header, 3)
        blob = read_message(content[start:at])
        packed = raw(blob, 3)
        found.append((raw(header, 1)[0], zlib.decompress(packed[0]) if packed else raw(blob, 1)[0]))
    return found


def _pack_blob(kind: bytes, message: bytes, raw_bytes: int | None = None) -> bytes:
    size = len(message) if raw_bytes is None else raw_bytes
    packed = zlib.compress(message)
    blob = b"\x10" + _varint(size) + b"\x1a" + _varint(len(packed)) + packed
    header = b"\x0a" + _varint(len(kind)) + kind + b"\x18" + _varint(len(blob))
    return struct.pack(">I", len(header)) + header + blob


def _varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def _mutate_blobs(content: bytes, drawn: random.Random) -> bytes:
    """Blobs that are gone, doubled, of another kind, or of another size than they say."""
    blobs = _cut_blobs(content)
    if drawn.random() < 0.5:
        return mutate_parts([_pack_blob(*blob) for blob in blobs], drawn)
    at = drawn.randrange(len(blobs))
    kinds = (b"OSMHeader", b"OSMData", b"x" * 70_000, b"")
    kind = drawn.choice(kinds) if drawn.random() < 0.5 else blobs[at][0]
    message = drawn.choice((blobs[at][1], bytes(1 << 26), b"\xff" * 99, b""))
    told = drawn.choice((None, *NUMBERS))
    packed = [_pack_blob(*blob) for blob in blobs]
    packed[at] = _pack_blob(kind, message, told)
    return b"".join(packed)


def _mutate_inside(content: bytes, drawn: random.Random) -> bytes:
    """Bytes of a message are others: the box, numbers of nodes, tags, members, texts."""
    blobs = _cut_blobs(content)
    at = drawn.randrange(len(blobs))
    kind, message = blobs[at]
    mutant = bytearray(message)
    for _ in range(drawn.choice((1, 1, 2, 5))):
        place = drawn.randrange(len(mutant))
        if drawn.random() < 0.7:
            mutant[place] = drawn.choice((0, 1, 2, 0x7F, 0x80, 0xFF, drawn.randrange(256)))
        else:
            mutant[place : place + 1] = _varint(drawn.choice(NUMBERS))
    blobs[at] = kind, bytes(mutant)
    return b"".join(_pack_blob(*blob) for blob in blobs)
