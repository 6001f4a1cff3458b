"""Posters of an atlas: PNG or SVG with a transparent ground, to hang on a wall."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from renderers.files import replacing
from renderers.pictures.picture_file import save_picture
from renderers.pictures.scatter import CORNER_SHARE, round_mask
from studio.atlases.atlas_files import GAP_PX, DrawnAtlas
from studio.atlases.sprites import shrink
from studio.workspace.errors import StudioError

SUFFIXES = (".png", ".svg")
MAX_WIDTH_PX, MIN_WIDTH_PX = 16_000, 400
INK = (64, 64, 64)  # Dark enough for a white wall, and to be seen on a coloured one.
MARGIN_SHARE, CAPTION_SHARE = 0.05, 0.014  # Of the width: the margin, and the height of a letter.
MAP_PICTURE_SHARE = 0.9  # On a map, pictures are this wide, as a share of a cell of the grid.
LABEL_SHARE = 0.32  # The height of a label's letters, as a share of a picture.
QUALITY = 90


@dataclass(frozen=True)
class PosterLayout:
    """Where everything stands on a poster, in pixels.

    Args:
        width, height: of the poster.
        size: width and height of each picture.
        corners: int [N, 2], x and y of the upper left corner of each picture.
        order: int [N], the points in the order in which they are drawn.
        letter: height of the caption's letters.
        caption_top: where the caption begins.
    """

    width: int
    height: int
    size: int
    corners: np.ndarray
    order: np.ndarray
    letter: int
    caption_top: int


def lay_out_poster(
    atlas: DrawnAtlas, width: int, arrangement: str, caption_lines: int
) -> PosterLayout:
    """Place pictures and caption.

    Args:
        width: in pixels.
        arrangement: `grid`, each picture in a cell of its own; or `map`, each where it belongs, the
            most faithful on top.
        caption_lines: how many lines stand below.
    """
    margin = round(width * MARGIN_SHARE)
    side = int(atlas.cells.max()) + 1
    cell = (width - 2 * margin) / side
    if arrangement == "map":
        size = max(1, round(cell * MAP_PICTURE_SHARE))
        places = np.column_stack([atlas.coordinates[:, 0], 1 - atlas.coordinates[:, 1]])
        corners = margin + places * (width - 2 * margin - size)
    else:
        size = max(1, int(cell * 0.94))
        corners = margin + atlas.cells[:, ::-1] * cell + (cell - size) / 2
    letter = max(8, round(width * CAPTION_SHARE))
    caption_top = width
    height = caption_top + round(letter * 1.6 * caption_lines) + (margin if caption_lines else 0)
    order = np.argsort(atlas.points[:, 2], kind="stable")
    return PosterLayout(
        width, height, size, np.round(corners).astype(int), order, letter, caption_top
    )


def check_poster(path: Path, width: int) -> None:
    """Refuse a file or a width that no poster can have.

    Raises:
        StudioError: neither PNG nor SVG, or a width out of range.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise StudioError(
            f"A poster is a PNG or an SVG; '{path.name}' is neither. Use .png or .svg."
        )
    if not MIN_WIDTH_PX <= width <= MAX_WIDTH_PX:
        raise StudioError(
            f"A poster of {width:,} px is out of range: use {MIN_WIDTH_PX} to {MAX_WIDTH_PX:,}."
        )


def draw_poster(
    atlas: DrawnAtlas,
    path: Path,
    width: int,
    arrangement: str,
    marked: Sequence[str],
    caption: Sequence[str],
) -> PosterLayout:
    """Write the poster of an atlas, whole or not at all.

    Args:
        path: a .png or .svg.
        width: in pixels.
        arrangement: as in `lay_out_poster`.
        marked: labels that stand on their pictures.
        caption: lines that stand below.

    Raises:
        StudioError: see `check_poster`.
        RenderError: the file cannot be written.
    """
    check_poster(path, width)
    layout = lay_out_poster(atlas, width, arrangement, len(caption))
    labels = {n: label for n, label in enumerate(atlas.labels) if label in set(marked)}
    if path.suffix.lower() == ".png":
        save_picture(_paint(atlas, layout, labels, caption), path)
    else:
        with replacing(path) as temporary:
            temporary.write_text("\n".join(_write_svg(atlas, layout, labels, caption)), "utf-8")
    return layout


def _cut_pictures(atlas: DrawnAtlas) -> np.ndarray:
    """The cities of an atlas as its picture shows them: uint8 [N, S, S, 3]."""
    with Image.open(atlas.path) as opened:
        sheet = np.asarray(opened.convert("RGB"))
    corners = atlas.cells * atlas.cell_px + GAP_PX // 2
    size = atlas.cell_px - GAP_PX
    return np.stack([sheet[y : y + size, x : x + size] for y, x in corners])


def _paint(
    atlas: DrawnAtlas, layout: PosterLayout, labels: dict[int, str], caption: Sequence[str]
) -> np.ndarray:
    """The poster as uint8 [height, width, 4]."""
    poster = Image.new("RGBA", (layout.width, layout.height), (*INK, 0))
    mask = round_mask(layout.size)
    pictures = _cut_pictures(atlas)
    for n in layout.order:
        picture = Image.fromarray(shrink(pictures[n], layout.size))
        poster.paste(picture, tuple(layout.corners[n].tolist()), mask)
    pen = ImageDraw.Draw(poster)
    small = ImageFont.load_default(max(8, round(layout.size * LABEL_SHARE)))
    for n, label in labels.items():
        x, y = layout.corners[n] + layout.size / 2
        pen.text((x, y), label, "white", small, "mm", stroke_width=2, stroke_fill=INK)
    font = ImageFont.load_default(layout.letter)
    for number, line in enumerate(caption):
        at = layout.width / 2, layout.caption_top + layout.letter * 1.6 * number
        pen.text(at, line, (*INK, 255), font, "ma")
    return np.asarray(poster)


def _write_svg(
    atlas: DrawnAtlas, layout: PosterLayout, labels: dict[int, str], caption: Sequence[str]
) -> Iterator[str]:
    """The poster as lines of SVG; pictures are in it, and nothing is fetched."""
    size = layout.size
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{layout.width}" height="{layout.height}" '
        f'viewBox="0 0 {layout.width} {layout.height}">'
    )
    yield (
        '<defs><clipPath id="corners" clipPathUnits="objectBoundingBox">'
        f'<rect width="1" height="1" rx="{CORNER_SHARE}"/></clipPath></defs>'
    )
    pictures, names = _cut_pictures(atlas), atlas.labels
    for n in layout.order:
        x, y = layout.corners[n]
        yield (
            f'<image x="{x}" y="{y}" width="{size}" height="{size}" clip-path="url(#corners)" '
            f'href="{_data_url(pictures[n])}"><title>{escape(names[n])}</title></image>'
        )
    ink = "#{:02x}{:02x}{:02x}".format(*INK)
    family = 'font-family="sans-serif" text-anchor="middle"'
    for n, label in labels.items():
        x, y = layout.corners[n] + size / 2
        yield (
            f'<text x="{x:g}" y="{y:g}" font-size="{size * LABEL_SHARE:g}" {family} fill="white" '
            f'stroke="{ink}" stroke-width="2" paint-order="stroke">{escape(label)}</text>'
        )
    for number, line in enumerate(caption):
        y = layout.caption_top + layout.letter * (1.6 * number + 1)
        yield (
            f'<text x="{layout.width / 2:g}" y="{y:g}" font-size="{layout.letter}" {family} '
            f"fill={quoteattr(ink)}>{escape(line)}</text>"
        )
    yield "</svg>"


def _data_url(picture: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
