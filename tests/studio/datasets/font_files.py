"""Real fonts for tests: Pillow's own TrueType font, and that with some of its bytes changed."""

import struct
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont


@lru_cache
def whole_font() -> bytes:
    return ImageFont.load_default(20).path.getvalue()


def table(font: bytes, tag: bytes) -> int:
    count = struct.unpack_from(">H", font, 4)[0]
    records = [struct.unpack_from(">4sIII", font, 12 + 16 * n) for n in range(count)]
    return next(offset for name, _, offset, _ in records if name == tag)


def with_ascent(font: bytes, ascent: int) -> bytes:
    """The font with another ascent, which makes its letters smaller or larger."""
    changed = bytearray(font)
    struct.pack_into(">h", changed, table(font, b"hhea") + 4, ascent)
    return bytes(changed)


def of_symbols(font: bytes) -> bytes:
    """The font, which says of itself that it is one of symbols."""
    changed = bytearray(font)
    changed[table(font, b"OS/2") + 32] = 5
    return bytes(changed)


def without_a(font: bytes) -> bytes:
    """The font without the characters up to A, of those in its table of characters."""
    changed, cmap = bytearray(font), table(font, b"cmap")
    for number in range(struct.unpack_from(">H", font, cmap + 2)[0]):
        start = cmap + struct.unpack_from(">I", font, cmap + 8 + 8 * number)[0]
        form = struct.unpack_from(">H", font, start)[0]
        if form == 4:
            segments = struct.unpack_from(">H", font, start + 6)[0] // 2
            for segment in range(segments):
                at = start + 16 + 2 * segments + 2 * segment
                first, last = (
                    struct.unpack_from(">H", font, place)[0]
                    for place in (at, start + 14 + 2 * segment)
                )
                if first <= ord("A") <= last:
                    struct.pack_into(">H", changed, at, ord("B"))
    return bytes(changed)


def write_fonts(folder: Path, count: int) -> Path:
    """Fonts that differ in the size of their letters."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        font = with_ascent(whole_font(), 1000 + 60 * number)
        (folder / f"font-{number}.ttf").write_bytes(font)
    return folder
