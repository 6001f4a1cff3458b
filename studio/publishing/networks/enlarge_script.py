"""The text of `generate.py` beside weights that make pictures larger."""

from __future__ import annotations

from studio.publishing.networks.generate_script import LOAD

ENLARGE = (
    '''"""Make pictures larger: python generate.py --picture photo.jpg --out large.png

It needs nothing but: pip install torch safetensors numpy pillow
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file

from network import build_network

HERE = Path(__file__).resolve().parent
TILE_PX = 192  # Of the small picture; a tile of a network of 64 channels takes about 1 GB.
MAX_PX = 500_000_000  # Of the large picture, which takes 1.5 GB as pixels.


'''
    + LOAD
    + '''

def read_picture(path, scale):
    """The pixels of a picture, uint8 [h, w, 3], and its colour profile."""
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height * scale**2 > MAX_PX:
                raise SystemExit(f"{path} would become more than {MAX_PX:,} px. Cut it first.")
            if picture.mode[0] in "IF":
                raise SystemExit(f"{path} has more than 8 bits a channel. Save it with 8.")
            picture = ImageOps.exif_transpose(picture)
            profile = picture.info.get("icc_profile") if picture.mode.startswith("RGB") else None
            if picture.has_transparency_data:
                picture = picture.convert("RGBA")
                white = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(white, picture)
            return np.array(picture.convert("RGB")), profile
    except (OSError, Image.DecompressionBombError) as error:
        raise SystemExit(f"{path} cannot be read as a picture: {error}") from None


def enlarge(G, pixels):
    """Pixels uint8 [h, w, 3] -> uint8 [h * scale, w * scale, 3], in tiles without seams.

    Each tile sees as far beyond its edge as the network looks, so that it is what one pass over
    the whole picture gives.
    """
    scale, reach, (height, width, _) = G.scale, G.reach, pixels.shape
    large = np.empty((height * scale, width * scale, 3), np.uint8)
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            bottom, right = min(top + TILE_PX, height), min(left + TILE_PX, width)
            above, before = max(0, top - reach), max(0, left - reach)
            seen = torch.from_numpy(pixels[above : bottom + reach, before : right + reach])
            drawn = render(G, seen.permute(2, 0, 1)[None].float() / 127.5 - 1)[0]
            rows = slice((top - above) * scale, (bottom - above) * scale)
            columns = slice((left - before) * scale, (right - before) * scale)
            large[top * scale : bottom * scale, left * scale : right * scale] = drawn[rows, columns]
        print(f"{bottom} of {height} rows", flush=True)
    return large


def main():
    asked = argparse.ArgumentParser(description="Make pictures larger with this model.")
    asked.add_argument("--picture", type=Path, help="a picture of any size")
    asked.add_argument("--points", default="all", help="labels of specimens with commas (all)")
    asked.add_argument("--out", type=Path, help="a file (large.png); of specimens, a folder")
    asked = asked.parse_args()
    G, config = load_generator()
    if asked.picture:
        pixels, profile = read_picture(asked.picture, G.scale)
        path = asked.out or Path("large.png")
        Image.fromarray(enlarge(G, pixels)).save(path, icc_profile=profile, quality=95)
        print(path)
        return
    folder = asked.out or Path("pictures")
    points = read_points(asked.points)
    folder.mkdir(parents=True, exist_ok=True)
    small_px = config["image_size"] // G.scale
    for name, z in points.items():
        path = folder / f"{name}.png"
        Image.fromarray(render(G, z.view(1, 3, small_px, small_px))[0]).save(path)
        print(path)


if __name__ == "__main__":
    main()
'''
)
