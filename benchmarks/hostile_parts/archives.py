"""Zip archives that were written anew with other parts, and ones whose headers disagree."""

from __future__ import annotations

import io
import random
import struct
import warnings
import zipfile
from collections.abc import Callable

Parts = dict[str, bytes]
NAMES = ("../../outside/owned", "/tmp/owned", "a/code/x.py", "x" * 300, "data.pkl", "\x1b[31m", "")


def rewrite(content: bytes, change: Callable[[Parts], None], stored: bool) -> bytes:
    """The archive with its parts changed and whole checksums.

    Args:
        change: changes the parts, by their names, in place.
        stored: whether nothing is compressed.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    return pack(parts, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)


def pack(parts: Parts, compression: int) -> bytes:
    """An archive of some parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, part in parts.items():
            archive.writestr(name or "x", part)
    return file.getvalue()


def mutate_members(content: bytes, drawn: random.Random) -> bytes:
    """The archive with a part that is gone, renamed, doubled, swapped, cut, grown or compressed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [(name, archive.read(name)) for name in archive.namelist()]
    at, other = drawn.randrange(len(parts)), drawn.randrange(len(parts))
    (name, part), kind = parts[at], drawn.randrange(7)
    if kind == 0:
        del parts[at]
    elif kind == 1:
        parts[at] = (drawn.choice(NAMES) or "x", part)
    elif kind == 2:
        parts.append((name, parts[other][1]))
    elif kind == 3:
        parts[at], parts[other] = (name, parts[other][1]), (parts[other][0], part)
    elif kind == 4:
        parts[at] = (name, part[: drawn.randrange(len(part) + 1)])
    elif kind == 5:
        parts[at] = (name, part + bytes(drawn.choice((1, 64, 1 << 20))))
    file = io.BytesIO()
    compression = drawn.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
        warnings.simplefilter("ignore")
        for named, held in parts:
            archive.writestr(named, held)
    return file.getvalue()


def mutate_headers(content: bytes, drawn: random.Random) -> bytes:
    """The archive with a number in a local header, in the directory, or at the end changed."""
    mutant = bytearray(content)
    marks = {b"PK\x03\x04": 30, b"PK\x01\x02": 46, b"PK\x05\x06": 22, b"PK\x06\x06": 56}
    mark = drawn.choice([mark for mark in marks if mark in content])
    places = [at for at in range(len(content)) if content.startswith(mark, at)]
    start = drawn.choice(places)
    for _ in range(drawn.choice((1, 1, 2))):
        at, width = start + drawn.randrange(4, marks[mark] - 1), drawn.choice((1, 2, 4))
        number = drawn.choice((0, 1, 8, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, len(content)))
        raw = struct.pack("<I", number)[:width]
        mutant[at : at + len(raw)] = raw
    return bytes(mutant)
