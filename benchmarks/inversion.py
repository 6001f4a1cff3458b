"""How many of a generator's own pictures lead back to their points, and how long it takes.

    python -m benchmarks.inversion workspace/runs --run helsinki --count 64

With --pictures FOLDER real pictures are inverted too, and --sheet FILE.png shows each of them above
the picture that was found. The baseline, in the same run, is gradient descent: Adam from 4 random
starts, 200 steps each.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex
from latent.inversion.fitting import FittedPoint, psnr
from latent.inversion.gallery import draw_gallery
from latent.inversion.inversion import Inverter
from renderers.frames.frame_renderer import render_frames
from renderers.frames.passes import round_pictures, unround_frames
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import Sheet
from studio.datasets.picture import read_picture

GALLERY = 6_000
GOOD_DB = 25.0
PAIRS_IN_A_ROW, PAIR_PX = 8, 96
ADAM_STARTS, ADAM_STEPS = 4, 200


def main() -> None:
    """Invert pictures of a run and print what was reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("--run", required=True)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--pictures", type=Path, help="invert the pictures of this folder as well")
    parser.add_argument("--sheet", type=Path, help="draw them above what was found: FILE.png")
    parser.add_argument("--baseline", type=int, default=8, help="pictures for gradient descent")
    asked = parser.parse_args()
    run = CheckpointIndex(asked.runs)[asked.run]
    G = run.generator(run.batches[-1] if asked.batch is None else asked.batch)
    z_dim = run.spec.z_dim
    began = time.process_time()
    inverter = Inverter.learn(G, draw_gallery(G, draw(GALLERY, z_dim, 1)))
    print(f"gallery and encoder: {time.process_time() - began:.1f} s of processor time", flush=True)
    with torch.inference_mode():
        pictures = torch.cat([G(z) for z in draw(asked.count, z_dim, 2).split(64)])
    if asked.pictures is not None:
        size = run.spec.image_size
        files = sorted(asked.pictures.iterdir())
        real = unround_frames(np.stack([read_picture(path, size) for path in files]))
        fits = list[FittedPoint]()
        report("real", [timed(partial(invert, inverter, p, fits)) for p in real])
        if asked.sheet is not None:
            draw_pairs(G, real, fits, asked.sheet)
    report("this", [timed(partial(invert, inverter, p)) for p in pictures])
    report("Adam", [timed(partial(descend, G, p, z_dim)) for p in pictures[: asked.baseline]])


def draw(count: int, z_dim: int, seed: int) -> Tensor:
    """Points of N(0, I), float32 [count, z_dim]."""
    return torch.randn(count, z_dim, generator=torch.Generator().manual_seed(seed))


def timed(look: Callable[[], float]) -> tuple[float, float]:
    """What was reached in dB, and the seconds of processor time that it took."""
    began = time.process_time()
    return look(), time.process_time() - began


def invert(inverter: Inverter, picture: Tensor, fits: list[FittedPoint] | None = None) -> float:
    """What the studio reaches, in dB; the fit is added to `fits`."""
    fit = inverter.invert(picture)
    if fits is not None:
        fits.append(fit)
    return fit.psnr_db


def draw_pairs(G: nn.Module, real: Tensor, fits: list[FittedPoint], path: Path) -> None:
    """Draw each picture above the one that was found for it, best first, and say how near it is."""
    order = sorted(range(len(fits)), key=lambda number: -fits[number].psnr_db)
    found = render_frames(G, torch.stack([fits[number].z for number in order]))
    asked = round_pictures(real[order]).numpy()
    rows = -(-len(order) // PAIRS_IN_A_ROW)
    captions = [""] * (2 * rows * PAIRS_IN_A_ROW)
    places = [
        2 * (n // PAIRS_IN_A_ROW) * PAIRS_IN_A_ROW + n % PAIRS_IN_A_ROW for n in range(len(order))
    ]
    for place, number in zip(places, order, strict=True):
        captions[place + PAIRS_IN_A_ROW] = f"{fits[number].psnr_db:.1f} dB"
    size = max(PAIR_PX, real.shape[-1])
    sheet = Sheet(2 * rows, PAIRS_IN_A_ROW, size, size, captions=captions)
    for place, picture, drawn in zip(places, asked, found, strict=True):
        sheet.add(place, picture)
        sheet.add(place + PAIRS_IN_A_ROW, drawn)
    save_picture(sheet.picture, path)


def descend(G: nn.Module, picture: Tensor, z_dim: int) -> float:
    """Gradient descent from several random starts at once; the best of them in dB."""
    z = draw(ADAM_STARTS, z_dim, 3).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.05)
    target = picture.clone()
    for _ in range(ADAM_STEPS):
        optimizer.zero_grad()
        (G(z) - target).square().flatten(1).mean(1).sum().backward()
        optimizer.step()
    with torch.inference_mode():
        return max(psnr(drawn - target) for drawn in G(z))


def report(name: str, reached: list[tuple[float, float]]) -> None:
    """Print the share of good ones, and medians."""
    values, seconds = zip(*reached, strict=True)
    good = sum(value >= GOOD_DB for value in values)
    print(
        f"{name}: {good} of {len(values)} reach {GOOD_DB:g} dB ({good / len(values):.0%}); median "
        f"{statistics.median(values):.1f} dB, least {min(values):.1f}; "
        f"median {statistics.median(seconds):.1f} s of processor time a picture",
        flush=True,
    )


if __name__ == "__main__":
    main()
