"""The text of `generate.py` beside networks that make letters of letters."""

from __future__ import annotations

from studio.publishing.networks.generate_script import LOAD

LETTERS = (
    '''"""Draw what the networks make of letters: python generate.py --font FILE.ttf --letter Rag

It needs nothing but: pip install torch safetensors numpy pillow
"""

import argparse
import json
import string
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file

from network import EDGE, FALLOFF, FIELD_PX, build_network

HERE = Path(__file__).resolve().parent
SCALE = 16  # Letters are drawn so many times as large as their fields.
TOP_PX, BOTTOM_PX, LEFT_PX = 2, 9, 9  # Room above the ascent, below the baseline, left of 0.


'''
    + LOAD
    + '''

def open_font(path):
    """The font, as large as its ascent fits into the box of a field, SCALE times as large."""
    basic = ImageFont.Layout.BASIC
    try:
        ascent = ImageFont.truetype(path, 400, layout_engine=basic).getmetrics()[0] / 400
        size = SCALE * (FIELD_PX - TOP_PX - BOTTOM_PX) / max(ascent, 0.1)
        return ImageFont.truetype(path, size, layout_engine=basic)
    except OSError as error:
        raise SystemExit(f"{path} cannot be read as a font: {error}") from None


def draw_point(font, letter):
    """The latent point of a letter: float [1296] in -1..1, its distance field.

    The field is EDGE on the edge of the letter, and rises by FALLOFF for each px into it.
    """
    box_px, left_px, base_px = (px * SCALE for px in (FIELD_PX, LEFT_PX, FIELD_PX - BOTTOM_PX))
    left, top, right, bottom = font.getbbox(letter, mode="1", anchor="ls")
    if right <= left or bottom <= top:
        raise SystemExit(f"The font has no letter {letter}.")
    is_wide = left < -left_px or right > box_px - left_px
    if is_wide or top < -base_px or bottom > box_px - base_px:
        raise SystemExit(f"The letter {letter} of this font is too large for the box of a field.")
    picture = Image.new("1", (box_px, box_px))
    ImageDraw.Draw(picture).text((left_px, base_px), letter, 1, font, anchor="ls")
    return 2 * measure_field(np.array(picture)) - 1


def measure_field(inside):
    """The distance field of a drawn letter, bool [576, 576] -> float [1296] in 0..1."""
    padded = np.pad(inside, 1)
    beside = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    # The nearest px of the other side always lies beside the edge.
    ink = inside & ~np.logical_and.reduce(beside)
    paper = ~inside & np.logical_or.reduce(beside)
    at = np.arange(FIELD_PX) * SCALE + SCALE // 2
    points = np.stack(np.meshgrid(at, at, indexing="ij"), -1).reshape(-1, 2)
    to_ink, to_paper = (find_distances(points, np.argwhere(border)) for border in (ink, paper))
    distances_px = np.where(inside[points[:, 0], points[:, 1]], to_paper, -to_ink) / SCALE
    levels = np.rint(255 * np.clip(EDGE + FALLOFF * distances_px, 0, 1))
    return torch.from_numpy(levels).float().div(255)


def find_distances(points, others):
    """From each point to the nearest of the others, all of them rows and columns: float [N]."""
    points, others = (torch.from_numpy(each).double() for each in (points, others))
    exactly = "donot_use_mm_for_euclid_dist"
    return torch.cdist(points, others, compute_mode=exactly).min(1).values.numpy()


def main():
    asked = argparse.ArgumentParser(description="Draw what these networks make of letters.")
    asked.add_argument("--font", help="a TrueType or OpenType font")
    asked.add_argument("--letter", default=string.ascii_letters, help="one or more (all 52)")
    asked.add_argument("--points", default="all", help="labels of specimens with commas (all)")
    asked.add_argument("--out", type=Path, default=Path("pictures"), help="a folder (pictures)")
    asked = asked.parse_args()
    for letter in asked.letter:
        if letter not in string.ascii_letters:
            raise SystemExit(f"{letter!r} is none of the 52 letters a to z and A to Z.")
    G, config = load_generator()
    if asked.font:
        font, cases = open_font(asked.font), {True: "upper", False: "lower"}
        points = {f"{cases[c.isupper()]}-{c}": draw_point(font, c) for c in asked.letter}
    else:
        points = read_points(asked.points)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, z in points.items():
        path = asked.out / f"{name}.png"
        Image.fromarray(render(G, z[None])[0]).save(path)
        print(path)


if __name__ == "__main__":
    main()
'''
)
