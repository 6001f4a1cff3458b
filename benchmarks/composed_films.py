"""What a frame around the pictures costs: each composition against plain films, in one run.

Prints one JSON document: the CPU seconds of this process and its encoders for each frame of

- `plain`: a grid of the same points, enlarged by ffmpeg to the size of the composition;
- `grid`, `large`, `wipe`, `strip`, `map`: the compositions of 16:9;

and the ratio of each to `plain`. All are made of the same pictures, which are rendered before, so
that what is measured is composing, enlarging and encoding alone.

    python -m benchmarks.composed_films [--frames 150] [--side 64] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from renderers.compositions.composition import KINDS, MAP, WIPE, Composition, frame_size
from renderers.compositions.panel import FilmWords
from renderers.pictures.display_options import DisplayOptions
from renderers.pictures.frame_layout import LANCZOS
from renderers.pictures.sheets import arrange_grid
from renderers.video.encoders import VideoEncoder
from renderers.video.frame_encoding import NumberedFrame, encode_composed, encode_frames

SIZE = frame_size("16:9", 1080)
POINTS, FPS = 6, 30
PLAIN = "plain"


def draw_pictures(frames: int, side: int) -> np.ndarray:
    """Smooth pictures that move: uint8 [frames, POINTS, side, side, 3]."""
    generator = np.random.default_rng(0)
    waves = generator.uniform(1, 4, (POINTS, 3, 3)) * (2 * np.pi)
    place = np.linspace(0, 1, side)
    x, y = place[None, None, :, None], place[None, :, None, None]
    turn = np.linspace(0, 1, frames)[:, None, None, None, None]
    phase = waves[:, None, None, :, 0] * x + waves[:, None, None, :, 1] * y
    drawn = np.sin(phase[None] + turn * waves[None, :, None, None, :, 2])
    return np.rint(127.5 * (1 + drawn)).astype(np.uint8)


def film(kind: str, pictures: np.ndarray, path: Path) -> None:
    """Make one film of pictures."""
    encoder, count = VideoEncoder(threads=1), {WIPE: 2}.get(kind, POINTS)

    def frames() -> Iterator[NumberedFrame]:
        for position, own in enumerate(pictures):
            shown = arrange_grid(own, 3) if kind == PLAIN else own[:count]
            yield NumberedFrame(position, position, shown)

    if kind == PLAIN:
        encode_frames(
            frames(), path, FPS, DisplayOptions(size=SIZE, scaling=LANCZOS), None, encoder
        )
        return
    places = tuple((n / count, n / count) for n in range(count)) if kind == MAP else ()
    composition = Composition(SIZE, kind, places=places, around=places)
    words = FilmWords("benchmark", "somebody", len(pictures), len(pictures), FPS)
    labels = [f"0.{number}" for number in range(count)]
    encode_composed(frames(), path, FPS, composition, words, labels, encoder)


def cpu_seconds() -> float:
    """CPU time of this process and of those that it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def measure(frames: int, side: int, rounds: int) -> dict[str, object]:
    """The median over rounds in which all kinds take turns."""
    pictures, spent = draw_pictures(frames, side), {kind: [] for kind in (PLAIN, *KINDS)}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for kind, seconds in spent.items():
                began = cpu_seconds()
                film(kind, pictures, Path(folder) / f"{kind}.mp4")
                seconds.append((cpu_seconds() - began) / frames)
    each = {kind: median(seconds) for kind, seconds in spent.items()}
    return {
        "frames": frames,
        "size": SIZE,
        "points": POINTS,
        "load": os.getloadavg()[0],
        "cpu_ms_a_frame": {kind: round(1000 * seconds, 2) for kind, seconds in each.items()},
        "times_plain": {kind: round(each[kind] / each[PLAIN], 3) for kind in KINDS},
    }


def main() -> None:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--side", type=int, default=64, help="of the generator's pictures, in px")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.frames, asked.side, asked.rounds), indent=2))


if __name__ == "__main__":
    main()
