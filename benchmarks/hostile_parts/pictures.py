"""Pictures for a dataset that were mutated: bytes, and the chunks of every format.

Each is left out with a reason, or has the size asked for. Where a format has checksums over its
pixels (PNG), they are those of the genuine picture; other formats cannot tell pixels that changed.
Pictures that are enlarged by their headers alone are there as well.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.hostile_parts.mutations import mutate_bytes, mutate_parts
from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    count_outcomes,
    open_yard,
)
from benchmarks.hostile_parts.passports import cut_jpeg
from studio.datasets.folder import prepare_folder
from studio.datasets.picture import FORMATS, UnreadablePictureError, read_picture
from studio.workspace.errors import StudioError

SIZE_PX, WANTED_PX = 48, 32
WHOLE_WAY = 20  # One of so many goes the whole way into a dataset.
PNG_CHUNKS = (b"zTXt", b"iCCP", b"iTXt", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"eXIf")
NUMBERS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 60_000)


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of reading so many mutants of pictures of every format."""
    # Plain and noisy parts: what is compressed shows other damage than what is kept as it is.
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE_PX, SIZE_PX + 9, 3), np.uint8)
    pixels[:30] = np.arange(30, dtype=np.uint8)[:, None, None]
    contents = {kind: _encode(pixels, kind) for kind in FORMATS}
    with open_yard() as yard:
        path = yard.inside / "pictures" / "picture"
        path.parent.mkdir()
        path.write_bytes(contents["PNG"])
        genuine = read_picture(path, WANTED_PX)
        seeds = range(seed, seed + count)
        return count_outcomes(seeds, lambda at: _read_mutant(at, path, contents, genuine), yard)


def _encode(pixels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    more = {"save_all": True, "append_images": [Image.fromarray(pixels[::-1])]}
    Image.fromarray(pixels).save(file, format=kind, **more if kind in ("GIF", "WEBP") else {})
    return file.getvalue()


def _read_mutant(seed: int, path: Path, contents: dict[str, bytes], genuine: np.ndarray) -> str:
    drawn = random.Random(seed)
    kind = drawn.choice(FORMATS)
    mutate = drawn.choice((mutate_bytes, STRUCTURED[kind]))
    path.write_bytes(mutate(contents[kind], drawn))
    try:
        pixels = read_picture(path, WANTED_PX)
        if drawn.randrange(WHOLE_WAY) == 0:
            made = path.parents[1] / "made"
            prepare_folder(path.parent, made, WANTED_PX, replace=True)
    except UnreadablePictureError as reason:
        return REFUSED if str(reason).strip() else TRACEBACK
    except StudioError:
        return SILENTLY_WRONG  # It was read a moment before.
    fits = pixels.shape == (WANTED_PX, WANTED_PX, 3) and pixels.dtype == np.uint8
    has_checksums = kind == "PNG" and mutate is mutate_bytes
    same = not has_checksums or np.array_equal(pixels, genuine)
    return HARMLESS if fits and same else SILENTLY_WRONG


def _mutate_jpeg(content: bytes, drawn: random.Random) -> bytes:
    """Segments that are gone or doubled, or another height and width."""
    parts = cut_jpeg(content)
    if drawn.random() < 0.6:
        return mutate_parts(parts, drawn)
    at = next(i for i, part in enumerate(parts) if part[:2] in (b"\xff\xc0", b"\xff\xc2"))
    sizes = [drawn.choice((0, 1, 57, 65535)) for _ in "hw"]
    parts[at] = parts[at][:5] + struct.pack(">HH", *sizes) + parts[at][9:]
    return b"".join(parts)


def _mutate_png(content: bytes, drawn: random.Random) -> bytes:
    """Chunks that are gone, doubled or swapped, or a header with a whole checksum."""
    head, chunks = content[:8], list(_cut_png(content))
    kind = drawn.randrange(4)
    if kind == 0:
        return head + mutate_parts(chunks, drawn)
    if kind == 1:
        body = bytearray(chunks[0][8:-4])
        at = drawn.randrange(len(body))
        number = drawn.choice(NUMBERS)
        body[at : at + 4] = struct.pack(">I", number)[: len(body) - at]
        chunks[0] = _png_chunk(b"IHDR", bytes(body))
    elif kind == 2:
        name = drawn.choice(PNG_CHUNKS)
        text = b"x\0\0" + zlib.compress(bytes(1 << drawn.choice((4, 24))))
        chunks.insert(1, _png_chunk(name, drawn.choice((text, b"", b"\xff" * 9))))
    else:
        body = drawn.choice((zlib.compress(bytes(10)), zlib.compress(bytes(1 << 24)), b""))
        chunks[1:-1] = [_png_chunk(b"IDAT", body)]
    return head + b"".join(chunks)


def _cut_png(content: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        yield content[at : at + 12 + length]
        at += 12 + length


def _png_chunk(name: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + body))
    return struct.pack(">I", len(body)) + name + body + check


def _mutate_chunks(content: bytes, drawn: random.Random) -> bytes:
    """Numbers, mostly at the beginning, where sizes of boxes, chunks and tables are, are others."""
    mutant = bytearray(content)
    for _ in range(drawn.choice((1, 1, 2, 4))):
        at = drawn.randrange(min(len(mutant), drawn.choice((32, 256, len(mutant)))))
        width, order = drawn.choice((2, 4)), drawn.choice(("little", "big"))
        raw = (drawn.choice(NUMBERS) % 256**width).to_bytes(width, order)
        mutant[at : at + width] = raw
    return bytes(mutant)


STRUCTURED: dict[str, Callable[[bytes, random.Random], bytes]] = {
    **dict.fromkeys(FORMATS, _mutate_chunks),
    "JPEG": _mutate_jpeg,
    "PNG": _mutate_png,
}
