"""A film of a folder of pictures against what people do with ffmpeg, in the same run.

Prints one JSON document: the seconds on a clock, and the CPU seconds of this process and its
children, for each of

- `folder`: `studio render folder`, in this process;
- `ffmpeg`: ffmpeg with a glob, the same filters, encoder, preset, quality and threads;
- `decoding`: the floor, which is decoding all pictures as the film does, on as many threads;

and the ratios of `folder` to the others, by the medians of some rounds in turns. The largest memory
of this process is told after the first and the last round.

    python -m benchmarks.folder_films [--pictures 1000] [--side 512] [--format png] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from renderers.frames.concurrency import run_in_order
from renderers.plan.options import share_threads
from renderers.progress import ignore_progress
from renderers.video.ffmpeg import fast_start, ffmpeg_command
from studio.actions.declared.films.folder_actions import RenderFolder
from studio.films.folders.folder_film import film_pictures, open_folder
from studio.films.folders.picture_frames import read_frame
from studio.workspace.paths import Workspace


def write_pictures(folder: Path, count: int, side: int, suffix: str) -> None:
    """Smooth pictures with some noise, as generators make them."""
    generator = np.random.default_rng(0)
    place = np.linspace(0, 1, side)
    noise = generator.normal(0, 3, (side, side, 3))
    for number in range(count):
        turn = 2 * np.pi * number / count
        waves = [
            np.sin(turn + 9 * k * place)[None] * np.cos(turn + 7 * k * place)[:, None]
            for k in (1, 2, 3)
        ]
        picture = 127.5 * (1 + np.stack(waves, -1)) + np.roll(noise, number, 1)
        levels = np.rint(picture).clip(0, 255).astype(np.uint8)
        Image.fromarray(levels).save(folder / f"fakes_{number:06d}.{suffix}")


def film_by_studio(film: RenderFolder, workspace: Workspace) -> None:
    """The film as the command makes it."""
    video, left_out = film_pictures(workspace, film, ignore_progress)
    assert video.frames
    assert not left_out


def film_by_ffmpeg(film: RenderFolder, workspace: Workspace, suffix: str) -> None:
    """The film as people make it, with what the studio tells its encoder."""
    opened = open_folder(workspace, film)
    encoder = replace(opened.options, threads=share_threads(os.cpu_count() or 1, 1)).encoder_for(1)
    layout = opened.options.display.lay_out(*opened.size_px, encoder.even)
    reading = ["-framerate", str(opened.options.fps), "-pattern_type", "glob"]
    reading += ["-i", f"{film.folder}/*.{suffix}", "-vf", layout.filters(encoder.pixel_format)]
    written = [*encoder.arguments(opened.options.fps), *fast_start(opened.file)]
    command = ffmpeg_command(*reading, *written, str(opened.file))
    subprocess.run(command, check=True)


def decode(folder: Path, side: int) -> None:
    """All pictures, decoded by as many threads as there are cores."""
    tasks = (partial(read_frame, path, (side, side), "refuse") for path in sorted(folder.iterdir()))
    for picture in run_in_order(tasks, os.cpu_count() or 1):
        assert picture.shape == (side, side, 3)


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def measure(work: Callable[[], None]) -> dict[str, float]:
    """Seconds on a clock, and of CPU."""
    began, before = time.monotonic(), cpu_s()
    work()
    return {"clock_s": time.monotonic() - began, "cpu_s": cpu_s() - before}


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--format", choices=["png", "jpg"], default="png")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        folder, workspace = place / "pictures", Workspace.open(place / "workspace")
        folder.mkdir()
        write_pictures(folder, asked.pictures, asked.side, asked.format)
        found: dict[str, list[dict[str, float]]] = {"folder": [], "ffmpeg": [], "decoding": []}
        memory = []
        for number in range(asked.rounds):
            film = [
                RenderFolder.read({"folder": folder, "out": place / f"{name}-{number}.mp4"})
                for name in ("a", "b")
            ]
            works: dict[str, Callable[[], None]] = {
                "folder": partial(film_by_studio, film[0], workspace),
                "ffmpeg": partial(film_by_ffmpeg, film[1], workspace, asked.format),
                "decoding": partial(decode, folder, asked.side),
            }
            for name, work in works.items():
                found[name].append(measure(work))
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    medians = {
        name: {kind: round(median(each[kind] for each in rounds), 3) for kind in rounds[0]}
        for name, rounds in found.items()
    }
    ratios = {
        f"to_{other}": {
            kind: round(medians["folder"][kind] / medians[other][kind], 3)
            for kind in medians["folder"]
        }
        for other in ("ffmpeg", "decoding")
    }
    load = os.getloadavg()[0]
    told = {**vars(asked), "cores": os.cpu_count(), "load": round(load, 1), **medians, **ratios}
    print(json.dumps({**told, "memory_mb": [memory[0], memory[-1]]}, indent=1))


if __name__ == "__main__":
    main()
