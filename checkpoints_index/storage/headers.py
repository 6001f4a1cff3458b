"""What a segment begins with: the description that rebuilds every generator in it.

    magic  length of the JSON  xxh3(JSON)  the JSON

One flipped bit of a header is found by trying them all, as one of the head of a record is: until a
segment is finished nothing else says how its checkpoints are to be read.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import xxhash

SEGMENT_MAGIC = b"CITYSEG2"
MAX_HEADER_BYTES = 1 << 26  # A longer header is damage, and is not allocated.
MAX_MENDED_BYTES = 1 << 15  # Trying all bits of so much takes a second; a longer one is not mended.

_HEAD = struct.Struct("<8sIQ")  # magic, length of the JSON that follows, xxh3(JSON)
HEAD_BYTES = _HEAD.size


class Header(NamedTuple):
    """What was found at the beginning of a segment.

    Attributes:
        description: what the header says; None where it is lost.
        end: where the records begin, as far as that is known.
        is_damaged: whether its bytes have changed on disk, be they repaired here or not.
    """

    description: dict[str, Any] | None
    end: int
    is_damaged: bool


def pack_header(description: dict[str, Any]) -> bytes:
    """The bytes that a segment begins with.

    Args:
        description: what rebuilds its generators, of JSON's types.
    """
    text = json.dumps(description, sort_keys=True).encode()
    return _HEAD.pack(SEGMENT_MAGIC, len(text), xxhash.xxh3_64_intdigest(text)) + text


def parse_header(content: bytes) -> Header:
    """The header at the beginning of some bytes, which are taken as they are.

    A checksum tells what has changed, and not who wrote it, so the text may be anything.
    """
    if len(content) < HEAD_BYTES:
        return Header(None, len(content), True)
    text = _checked_text(content)
    if text is None:
        return Header(None, HEAD_BYTES, True)
    try:
        description = json.loads(text)
    except (ValueError, RecursionError):
        description = None
    known = description if isinstance(description, dict) else None
    return Header(known, HEAD_BYTES + len(text), known is None)


def read_header(path: Path) -> Header:
    """The header of a segment, repaired where one bit of it has flipped.

    Raises:
        OSError: the file is gone or cannot be read.
    """
    with path.open("rb") as file:
        descriptor = file.fileno()
        head = os.pread(descriptor, HEAD_BYTES, 0)
        if len(head) < HEAD_BYTES:
            return Header(None, 0, True)
        length = min(_HEAD.unpack(head)[1], MAX_HEADER_BYTES)
        found = parse_header(os.pread(descriptor, HEAD_BYTES + length, 0))
        if found.end > HEAD_BYTES:
            return found  # Its checksum is right, whatever it says.
        content = os.pread(descriptor, HEAD_BYTES + MAX_MENDED_BYTES, 0)
    mended = next((parse_header(c) for c in _differing_in_a_bit(content) if _is_whole(c)), None)
    if mended is None or mended.description is None:
        return found
    return mended._replace(is_damaged=True)


def _checked_text(content: bytes) -> bytes | None:
    """The JSON of a header whose checksum is right, else None."""
    magic, length, check = _HEAD.unpack_from(content)
    text = content[HEAD_BYTES : HEAD_BYTES + length]
    whole = magic == SEGMENT_MAGIC and xxhash.xxh3_64_intdigest(text) == check
    return text if whole else None


def _is_whole(content: bytes) -> bool:
    return _checked_text(content) is not None


def _differing_in_a_bit(content: bytes) -> Iterator[bytes]:
    """The bytes of a header with each of its bits flipped, one at a time."""
    length = _HEAD.unpack_from(content)[1]
    last = HEAD_BYTES + length if length <= MAX_MENDED_BYTES else HEAD_BYTES
    yield from flip_each_bit(content, range(min(HEAD_BYTES, len(content))))
    # Beyond its head only the text itself can have changed, and more need not be copied.
    text = content[:last]
    yield from flip_each_bit(text, range(HEAD_BYTES, len(text)))


def flip_each_bit(content: bytes, places: range) -> Iterator[bytes]:
    """Some bytes with each bit of those at some places flipped, one at a time."""
    candidate = bytearray(content)
    for place in places:
        for bit in range(8):
            candidate[place] ^= 1 << bit
            yield bytes(candidate)
            candidate[place] ^= 1 << bit
