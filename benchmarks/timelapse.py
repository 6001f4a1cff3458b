"""How long a training film takes: the old way, ours, and the floor below which nothing goes.

Trains a real generator for as many batches as there are checkpoints, keeps each (storage visual),
and prints one JSON document about films of six points, all measured in one run:

- `old`:    a process a point in spirit: `torch.load` of a full checkpoint (G, D, both optimisers),
            build, load, forward, one JPEG, for each point anew; then ffmpeg over the JPEGs;
- `shared`: the same, but each checkpoint is loaded once for all points;
- `ours`:   the studio's time-lapse;
- `floor`:  forward passes alone with the weights resident, and encoding alone, in CPU seconds over
            cores (on a GPU: the longer of the two).

    python -m benchmarks.timelapse [--checkpoints 1000] [--points 6] [--device cuda:0]

On the CPU it is a DCGAN of 64x64; on a GPU `skyline` of 1024x1024. The old ways are measured on a
sample of checkpoints.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.store import SPEC, Training, peak_mb, report
from checkpoints_index import CheckpointIndex, CheckpointRun, GeneratorSpec
from latent.points import LatentPoint, seeded_point
from renderers.devices import beside_encoders
from renderers.ffmpeg import ffmpeg_command
from renderers.film import film
from renderers.frames import FrameRenderer
from renderers.options import RenderOptions
from renderers.plan import make_plan
from renderers.recording import recording
from renderers.rendering import render_film
from renderers.workers import render_parts

LARGE = GeneratorSpec("skyline", {"z_dim": 100, "image_size": 1024})
BATCH_SIZE = 2  # of training, which only has to move the weights as training does
OPTIONS = RenderOptions()
SAMPLE = 12  # checkpoints that the old ways are measured on
ENCODED = 250  # frames a point that are encoded alone


def grow(run: CheckpointRun, training: Training, checkpoints: int, sample: Path) -> list[Path]:
    """Train and keep every batch; the last ones as full checkpoints as well, for the old ways."""
    full = []
    for _ in range(checkpoints):
        training.step()
        run.append(training.batch, training.G.state_dict())
        if training.batch > checkpoints - SAMPLE:
            full.append(sample / f"{training.batch}.pt")
            torch.save(training.everything(), full[-1])
        if training.batch % 100 == 0:
            report(f"{training.batch} of {checkpoints} checkpoints trained")
    run.flush()
    return full


def measure(work: Callable[[], int]) -> dict[str, Any]:
    """Frames a second, and the CPU seconds of this process and of those it started."""
    began, before = time.perf_counter(), cpu_seconds()
    frames = work()
    seconds = time.perf_counter() - began
    return {
        "frames": frames,
        "seconds": round(seconds, 2),
        "frames_per_s": round(frames / seconds, 2),
        "cpu_seconds": round(cpu_seconds() - before, 2),
    }


def cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def film_the_old_way(
    spec: GeneratorSpec, full: list[Path], z: Tensor, folder: Path, once: bool, device: str
) -> int:
    """One JPEG a point and checkpoint, each loaded anew or (once) for all points; then ffmpeg."""
    numbers = range(len(z))
    for group in [numbers] if once else [[number] for number in numbers]:
        for path in full:
            G = spec.build().eval()
            G.load_state_dict(torch.load(path)["0"])
            G.to(device)
            for number in group:
                save_jpeg(G, z[number].to(device), folder / f"{number}-{path.stem}.jpg")
    for number in numbers:
        pictures = ["-start_number", full[0].stem, "-i", f"file:{folder}/{number}-%d.jpg"]
        encode = ["-c:v", "libx264", "-pix_fmt", "yuv420p", f"file:{folder}/{number}.mp4"]
        subprocess.run(ffmpeg_command("-framerate", "60", *pictures, *encode), check=True)
    return len(full) * len(z)


@torch.inference_mode()
def save_jpeg(G: torch.nn.Module, z: Tensor, path: Path) -> None:
    picture = ((G(z[None])[0].clamp(-1, 1) + 1) * 127.5).round().byte()
    Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()).save(path, quality=95)


def forward_alone(G: torch.nn.Module, z: Tensor, count: int) -> int:
    """The forward passes of so many checkpoints, with one checkpoint's weights."""
    frames = FrameRenderer()
    with beside_encoders():
        for _ in range(count):
            frames.render(G, z)
    return count * len(z)


def encode_alone(pictures: np.ndarray, folder: Path) -> int:
    """Videos of pictures that are there already: uint8 [frames, points, height, width, 3]."""
    points = pictures.shape[1]

    def record(items: Iterator[Any], number: int) -> None:
        shots = ((frame, frame, own[number]) for frame, own in items)
        path = folder / f"{number}.mp4"
        film(shots, path, OPTIONS.fps, OPTIONS.look, None, OPTIONS.encoder_of(points))

    with recording([partial(record, number=number) for number in range(points)]) as put:
        for item in enumerate(pictures):
            put(item)
    return len(pictures) * points


def film_our_way(run: CheckpointRun, z: Tensor, folder: Path, device: str) -> int:
    points = [LatentPoint(str(number), own) for number, own in enumerate(z)]
    plan = make_plan(points, run.batches, OPTIONS, borders=run.key_batches)
    engine = partial(render_parts, devices=[device])
    return sum(v.frames for v in render_film(run, plan, folder, folder / "film.mp4", engine))


def film_in_a_process(folder: Path, points: int, device: str) -> dict[str, Any]:
    """Ours, in a process of its own, whose memory is that of the film alone."""
    words = ["--film", str(folder), "--points", str(points), "--device", device]
    command = [sys.executable, "-m", "benchmarks.timelapse", *words]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def film_alone(folder: Path, points: int, device: str) -> dict[str, Any]:
    run = CheckpointIndex(folder)["film"]
    run.weights(run.batches[0])  # what is compiled and imported once is not filming
    z = choose_points(run.spec, points)
    result = measure(lambda: film_our_way(run, z, folder / "ours", device))
    return {**result, "bytes_read": run.size_bytes, "peak_memory_mb": peak_mb()}


def choose_points(spec: GeneratorSpec, count: int) -> Tensor:
    """float32 [count, z_dim]."""
    return torch.stack([seeded_point(seed, spec.z_dim).z for seed in range(count)])


def last_pictures(run: CheckpointRun, z: Tensor, count: int, device: str) -> np.ndarray:
    """Frames as the film has them, for encoding alone: uint8 [count, points, H, W, 3]."""
    frames = FrameRenderer()
    return np.stack([frames.render(G, z) for _, G in run.stream(run.batches[-count:], device)])


def compare(folder: Path, checkpoints: int, points: int, device: str) -> dict[str, Any]:
    spec = SPEC if device == "cpu" else LARGE
    run = CheckpointIndex(folder).create("film", spec, "visual")
    samples = folder / "full"
    samples.mkdir()
    full = grow(
        run, Training(2e-4, spec, batch_size=BATCH_SIZE, device=device), checkpoints, samples
    )
    run.close()
    z = choose_points(spec, points)
    result: dict[str, Any] = {"parameters": sum(p.numel() for p in spec.build().parameters())}
    for name, once in (("old", False), ("shared", True)):
        place = folder / name
        place.mkdir()
        result[name] = measure(
            lambda o=once, p=place: film_the_old_way(spec, full, z, p, o, device)
        )
        loads = len(full) * (1 if once else points)
        result[name]["bytes_read"] = loads * full[0].stat().st_size
        report(f"{name}: {result[name]['frames_per_s']} frames/s")
    result["ours"] = film_in_a_process(folder, points, device)
    report(f"ours: {result['ours']['frames_per_s']} frames/s")
    G = run.generator(run.batches[-1], device)
    result["forward"] = measure(lambda: forward_alone(G, z, checkpoints))
    pictures = last_pictures(run, z, min(checkpoints, ENCODED), device)
    result["encode"] = measure(lambda: encode_alone(pictures, folder / "encoded"))
    return result | ratios(result, device)


def ratios(result: dict[str, Any], device: str) -> dict[str, Any]:
    """How often faster than the old way, and how many times the floor."""
    frames = result["ours"]["frames"]
    forward, encode = (
        result[part]["cpu_seconds" if device == "cpu" else "seconds"]
        * frames
        / result[part]["frames"]
        for part in ("forward", "encode")
    )
    floor_s = (
        (forward + encode) / (os.cpu_count() or 1) if device == "cpu" else max(forward, encode)
    )
    ours = result["ours"]
    return {
        "floor_seconds": round(floor_s, 2),
        "times_faster_than_old": round(ours["frames_per_s"] / result["old"]["frames_per_s"], 1),
        "times_faster_than_shared": round(
            ours["frames_per_s"] / result["shared"]["frames_per_s"], 1
        ),
        "times_the_floor": round(ours["seconds"] / floor_s, 3),
        "cpu_over_that_of_the_floor": round(ours["cpu_seconds"] / (forward + encode), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--checkpoints", type=int, default=1000)
    parser.add_argument("--points", type=int, default=6)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="keep what is made here")
    parser.add_argument("--film", type=Path, metavar="DIR", help="only film the run that is there")
    wanted = parser.parse_args()
    if wanted.film:
        print(json.dumps(film_alone(wanted.film, wanted.points, wanted.device)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = wanted.folder or Path(scratch)
        result = compare(folder, wanted.checkpoints, wanted.points, wanted.device)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
