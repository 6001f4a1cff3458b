"""Draw the picture of a segment of the store: python docs/scripts/draw_segment.py"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from svg import ACCENT, INK, SOFT, path, picture, rect, text

OUT = Path(__file__).parents[1] / "pictures" / "segment.svg"

WIDTH, HEIGHT, MARGIN = 1000, 576, 40  # px
EDGE, GREEN = "#c9b595", "#5f8049"
FILLS = {
    "header": "#e6dff0",
    "key": "#d0906f",
    "delta": "#f3d9c9",
    "tracked": "#f2e3b8",
    "skip": "#dfe9d3",
    "table": "#d5e4ee",
    "plain": "#fffdf8",
}
FILE = (  # a segment from its first byte to its last: what, which kind, width in px
    ("header", "header", 80),
    ("key 0", "key", 130),
    ("delta 1", "delta", 70),
    ("tracked 2", "tracked", 82),
    ("tracked 3", "tracked", 82),
    ("...", "plain", 36),
    ("tracked 48", "tracked", 92),
    ("skip 0 → 48", "skip", 100),
    ("delta 49", "delta", 74),
    ("...", "plain", 36),
    ("table", "table", 70),
    ("trailer", "table", 68),
)
HEAD = (  # a record's head: what, in one or two lines, and bytes
    ("CKPT", 4),
    ("kind", 1),
    ("parity", 1),
    ("zero", 2),
    ("batch", 8),
    ("base", 8),
    ("payload bytes", 8),
    ("xxh3\nof payload", 8),
    ("xxh3\nof integers", 8),
    ("xxh3\nof head", 8),
)
STRIP_Y, STRIP_HEIGHT, HEAD_Y, BYTE_PX = 196, 54, 372, 12
NOTES = (
    "All numbers are little-endian and unsigned.",
    "A head that fails its checksum is no record; a payload that fails its own is damaged, and a "
    "reader looks for another path.",
    "Deltas and skip deltas of visual storage are walked both ways; a tracked delta leads on "
    "alone, from where its trackers were led:",
    "from the delta behind a key or a skip delta on.",
)


def main() -> None:
    OUT.write_text(draw_segment())
    print(OUT)


def draw_segment() -> str:
    """The file as a strip, its records as edges between batches above it, one record below it."""
    heading = "A segment is a file; its records are edges between batches"
    strip, centers = draw_strip()
    parts = [
        text(MARGIN, 44, heading, 18, anchor="start", bold=True),
        *draw_edges(centers),
        *strip,
        *draw_captions(),
        *draw_record(centers["delta 1"]),
    ]
    title = "A segment: header, records and table; and the bytes of one record"
    return picture(WIDTH, HEIGHT, title, parts)


def draw_strip() -> tuple[list[str], dict[str, float]]:
    """The file, and the center of each of its pieces in px."""
    parts, centers, x = [], {}, float(MARGIN)
    for name, kind, width in FILE:
        parts += [rect(x, STRIP_Y, width, STRIP_HEIGHT, FILLS[kind], line=EDGE)]
        parts += [text(x + width / 2, STRIP_Y + 32, name, 13, mono=True)]
        centers[name] = x + width / 2
        x += width
    return parts, centers


def draw_edges(centers: dict[str, float]) -> list[str]:
    """How a reader moves: a key from nothing, deltas to the next batch, a skip delta far ahead."""
    places = [centers[name] for name in ("key 0", "delta 1", "tracked 2", "tracked 3")]
    far, y = centers["tracked 48"], STRIP_Y - 6
    skip = "skip delta: from 48 records before"
    return [
        arc(places[0], places[1], y, 40),
        *(arc(a, b, y, 40, ACCENT) for a, b in pairwise(places[1:])),
        arc(places[0], far, y, 118, GREEN, 2.5),
        path(f"M{places[0]:.0f} {y - 84} V{y}", arrow=True),
        text(places[0] - 10, y - 84, "key: from nothing", 13, SOFT, anchor="end"),
        text((places[0] + places[1]) / 2 + 6, y - 38, "delta", 13, SOFT),
        text((places[1] + places[3]) / 2, y - 54, "tracked deltas: from the", 13, SOFT),
        text((places[1] + places[3]) / 2, y - 38, "batch before, onward", 13, SOFT),
        text((places[0] + far) / 2, y - 98, skip, 13, SOFT),
    ]


def draw_captions() -> list[str]:
    """What the first and the last pieces of the file hold."""
    right, y = WIDTH - MARGIN, STRIP_Y + 74
    return [
        text(MARGIN + 2, y, "JSON: generator, tensors,", 12.5, SOFT, anchor="start"),
        text(MARGIN + 2, y + 16, "steps, error bound", 12.5, SOFT, anchor="start"),
        text(right, y, "header and heads once more,", 12.5, SOFT, anchor="end"),
        text(right, y + 16, "then where they begin", 12.5, SOFT, anchor="end"),
    ]


def draw_record(center: float) -> list[str]:
    """One record, byte for byte, under the piece of the strip that it is."""
    right, bottom = WIDTH - MARGIN, STRIP_Y + STRIP_HEIGHT
    rays = f"M{center - 35} {bottom} L{MARGIN} {HEAD_Y} M{center + 35} {bottom} L{right} {HEAD_Y}"
    parts = [path(rays, EDGE, 1.5, more=' stroke-dasharray="5 4"')]
    offset = 0
    for name, size in HEAD:
        parts += draw_field(name, offset, size)
        offset += size
    x = MARGIN + BYTE_PX * offset
    middle = (x + right) / 2
    parts += [
        rect(x, HEAD_Y, right - x, 58, FILLS["delta"], line=EDGE),
        text(middle, HEAD_Y + 26, "payload", 13, mono=True),
        text(middle, HEAD_Y + 44, "lengths of blocks, blocks, parity", 12, SOFT),
        text(x, HEAD_Y + 76, str(offset), 11.5, SOFT, mono=True),
    ]
    for row, note in enumerate(NOTES):
        parts += [text(MARGIN, HEAD_Y + 112 + 22 * row, note, 13.5, SOFT, anchor="start")]
    return parts


def draw_field(name: str, offset: int, size: int) -> list[str]:
    """One field of a record's head, with its offset below."""
    x, width = MARGIN + BYTE_PX * offset, BYTE_PX * size
    parts = [
        rect(x, HEAD_Y, width, 58, FILLS["plain"], line=EDGE),
        text(x, HEAD_Y + 76, str(offset), 11.5, SOFT, mono=True),
    ]
    if size < 4:
        return [*parts, text(x + width / 2 + 4, HEAD_Y + 29, name, 11.5, mono=True, upright=True)]
    lines = name.split("\n")
    first = HEAD_Y + 34 - 8 * (len(lines) - 1)
    for row, line in enumerate(lines):
        parts += [text(x + width / 2, first + 16 * row, line, 11.5, mono=True)]
    return parts


def arc(a: float, b: float, y: float, rise: float, stroke: str = INK, width: float = 2) -> str:
    """A curved arrow from one place of the strip to another, over it."""
    curve = f"M{a:.0f} {y} C{a + 6:.0f} {y - rise}, {b - 6:.0f} {y - rise}, {b:.0f} {y}"
    return path(curve, stroke, width, arrow=True)


if __name__ == "__main__":
    main()
