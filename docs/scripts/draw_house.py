"""Draw the picture of the house from the real imports: python docs/scripts/draw_house.py"""

from __future__ import annotations

from dataclasses import dataclass

import house
from svg import ACCENT, INK, LINE, PAPER, SOFT, path, picture, rect, text

OUT = house.REPOSITORY / "docs" / "pictures" / "house.svg"

WIDTH, MARGIN, WALL, GAP = 1000, 40, 26, 28  # px; GAP is the height of an arrow between two floors
ROOF, PLAIN, WITH_FOLDERS = 120, 60, 92  # px: heights of the roof and of a floor
BETWEEN, PLATE = 18, 28  # px: from a room to the one beside it, from a row of folders to the next
FILLS = {"latent": "#dfe9d3", "checkpoints_index": "#d5e4ee", "renderers": "#e6dff0"}
STUDIO_FILL = "#fbeee4"
# Rooms on one floor stand in the order of their names, but for training, which is the widest.
MIDDLE = {"studio.training": "studio.g"}


@dataclass(frozen=True)
class Box:
    """A room as drawn: its corner and size in px, y growing downwards, and its folders."""

    room: str
    x: float
    y: float
    width: float
    height: float
    folders: tuple[str, ...]

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def center(self) -> float:
        return self.x + self.width / 2


def main() -> None:
    OUT.write_text(draw_house())
    print(OUT)


def draw_house() -> str:
    """The rooms floor by floor, and an arrow for each import that no longer way replaces."""
    modules = house.read_modules()
    every_arrow = house.read_arrows(modules)
    arrows = house.drop_implied(every_arrow)
    folders = {room: tuple(house.list_subrooms(modules, room)) for room in house.ROOMS}
    boxes = lay_out(house.find_floors(every_arrow), folders)
    height = round(max(box.bottom for box in boxes.values()) + MARGIN + 34)
    caption = "An arrow says: imports. Arrows that longer ways replace are left out."
    parts = [
        *draw_walls(boxes),
        *(draw_arrow(boxes[a], boxes[b]) for a in boxes for b in sorted(arrows[a])),
        *(part for box in boxes.values() for part in draw_room(box)),
        text(WIDTH / 2, height - 22, caption, 14, SOFT),
    ]
    title = "The rooms of the studio, floor by floor: each imports only rooms below it"
    return picture(WIDTH, height, title, parts, arrow=ACCENT)


def lay_out(floors: dict[str, int], folders: dict[str, tuple[str, ...]]) -> dict[str, Box]:
    """Where each room is drawn: the studio's floors from the imports, the libraries below them."""
    boxes: dict[str, Box] = {}
    studio = {room: floor for room, floor in floors.items() if room.startswith("studio")}
    y = MARGIN + 8.0
    for floor in sorted(set(studio.values()), reverse=True):
        rooms = sorted((r for r in studio if studio[r] == floor), key=lambda r: MIDDLE.get(r, r))
        height = WITH_FOLDERS if any(folders.get(room) for room in rooms) else PLAIN
        height = ROOF if house.WAYS_IN in rooms else height
        boxes |= lay_row(rooms, folders, y, height, MARGIN + WALL, WIDTH - MARGIN - WALL)
        y += height + GAP
    y += 18  # the ground, which the studio stands on
    middle = WIDTH / 2 - 20
    right = middle + BETWEEN, WIDTH - MARGIN
    tall = WITH_FOLDERS + GAP + PLAIN
    boxes |= lay_row(["checkpoints_index"], folders, y, tall, MARGIN, middle)
    boxes |= lay_row(["renderers"], folders, y, WITH_FOLDERS, *right)
    return boxes | lay_row(["latent"], folders, y + WITH_FOLDERS + GAP, PLAIN, *right)


def lay_row(
    rooms: list[str],
    folders: dict[str, tuple[str, ...]],
    y: float,
    height: float,
    left: float,
    right: float,
) -> dict[str, Box]:
    """Rooms side by side between two walls; the more folders one has, the wider it is."""
    weights = [max(2.6, 1.2 * len(folders.get(room, ()))) for room in rooms]
    unit = (right - left - BETWEEN * (len(rooms) - 1)) / sum(weights)
    boxes, x = {}, left
    for room, weight in zip(rooms, weights, strict=True):
        boxes[room] = Box(room, x, y, weight * unit, height, folders.get(room, ()))
        x += weight * unit + BETWEEN
    return boxes


def draw_walls(boxes: dict[str, Box]) -> list[str]:
    """The outline of the studio: walls, roof, and the ground that it stands on."""
    roof = boxes[house.WAYS_IN]
    ground = boxes["studio.workspace"].bottom + GAP / 2 + 2
    left, right, eaves = MARGIN, WIDTH - MARGIN, roof.bottom + 6
    slopes = f"M{left - 22} {eaves} L{WIDTH / 2} {roof.y - 22} L{right + 22} {eaves} Z"
    return [
        f'<path d="M{left} {eaves} V{ground} H{right} V{eaves}" fill="{PAPER}" stroke="{LINE}" '
        'stroke-width="2"/>',
        f'<path d="{slopes}" fill="{ACCENT}" stroke="{ACCENT}" stroke-width="8" '
        'stroke-linejoin="round"/>',
        path(f"M{left - 22} {ground} H{right + 22}", width=3),
        text(WIDTH / 2, roof.y + 58, "studio", 20, "#ffffff", bold=True, mono=True),
        text(WIDTH / 2, roof.y + 82, "the ways in: app.py, main, demo", 14, "#f9e4da"),
    ]


def draw_room(box: Box) -> list[str]:
    """A room: its name, what it is for, and its folders; the ways in are the roof, drawn above."""
    if box.room == house.WAYS_IN:
        return []
    purpose = wrap(house.ROOMS[box.room], box.width)
    rows = lay_plates(box)
    top = box.y + max(0, (box.height - 44 - 16 * len(purpose) - PLATE * len(rows)) / 2)
    name = box.room.removeprefix("studio.")
    parts = [
        rect(box.x, box.y, box.width, box.height, FILLS.get(box.room, STUDIO_FILL), radius=8),
        text(box.center, top + 25, name, 17, bold=True, mono=True),
    ]
    for i, line in enumerate(purpose):
        parts += [text(box.center, top + 45 + 16 * i, line, 13.5, SOFT)]
    for i, names in enumerate(rows):
        parts += draw_plates(names, box.center, top + 41 + 16 * len(purpose) + PLATE * i)
    return parts


def wrap(sentence: str, width: float) -> list[str]:
    """A sentence in lines that fit into a room."""
    lines: list[str] = [""]
    for word in sentence.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) * 7.0 > width - 12 and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def lay_plates(box: Box) -> list[list[str]]:
    """The folders of a room in rows that fit into it."""
    rows: list[list[str]] = []
    for name in box.folders:
        if rows and sum(plate_width(other) + 6 for other in [*rows[-1], name]) < box.width - 8:
            rows[-1].append(name)
        else:
            rows.append([name])
    return rows


def draw_plates(names: list[str], center: float, y: float) -> list[str]:
    """One row of folders as small plates."""
    x = center - (sum(plate_width(name) + 6 for name in names) - 6) / 2
    parts = []
    for name in names:
        width = plate_width(name)
        parts += [
            rect(x, y, width, 22, PAPER, radius=5),
            text(x + width / 2, y + 15.5, name, 12, INK, mono=True),
        ]
        x += width + 6
    return parts


def plate_width(name: str) -> float:
    return 7.3 * len(name) + 14


def draw_arrow(a: Box, b: Box) -> str:
    """An arrow from the floor of a room to the ceiling of one below it."""
    left, right = max(a.x, b.x), min(a.right, b.right)
    start, end = ((left + right) / 2,) * 2 if left < right else (a.center, b.center)
    top = a.bottom + (8 if a.room == house.WAYS_IN else 2)
    return path(f"M{start:.1f} {top:.1f} L{end:.1f} {b.y - 3:.1f}", ACCENT, arrow=True)


if __name__ == "__main__":
    main()
