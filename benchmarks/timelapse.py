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
    python -m benchmarks.timelapse --run RUNS/NAME --checkpoints 19000    ours and the floor alone

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
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.store import SPEC, Training, report
from checkpoints_index import CheckpointIndex, CheckpointRun, GeneratorSpec
from latent.points import LatentPoint, seeded_point
from renderers.frames.concurrency import run_in_order
from renderers.frames.devices import concurrency_of, sharing_cores
from renderers.frames.frame_renderer import FrameRenderer
from renderers.jobs.rendering import render_film
from renderers.jobs.stages import feeding
from renderers.jobs.workers import render_parts
from renderers.plan.options import RenderOptions
from renderers.plan.render_plan import make_plan
from renderers.video.ffmpeg import ffmpeg_command
from renderers.video.frame_encoding import NumberedFrame, encode_frames

LARGE = GeneratorSpec("skyline", {"z_dim": 100, "image_size": 1024})
BATCH_SIZE = 2  # of training, which only has to move the weights as training does
OPTIONS = RenderOptions()
SAMPLE = 12  # checkpoints that the old ways are measured on
FLOOR_CHECKPOINTS = 500  # that forward passes and encoding alone are measured on


class Place(NamedTuple):
    """A run, and how much of it is filmed."""

    runs: Path
    name: str
    checkpoints: int
    points: int


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


def forward_alone(G: torch.nn.Module, z: Tensor, count: int, device: str) -> int:
    """The forward passes of so many checkpoints, with one checkpoint's weights, on all cores."""
    frames = FrameRenderer()
    with sharing_cores():
        passes = repeat(partial(frames.render, G, z), count)
        return sum(len(pictures) for pictures in run_in_order(passes, concurrency_of(device)))


def encode_alone(pictures: np.ndarray, folder: Path) -> int:
    """Videos of pictures that are there already: uint8 [frames, points, height, width, 3]."""
    points = pictures.shape[1]

    def record(items: Iterator[Any], number: int) -> None:
        frames = (NumberedFrame(frame, frame, own[number]) for frame, own in items)
        path = folder / f"{number}.mp4"
        encode_frames(frames, path, OPTIONS.fps, OPTIONS.display, None, OPTIONS.encoder_for(points))

    with feeding([partial(record, number=number) for number in range(points)]) as put:
        for item in enumerate(pictures):
            put(item)
    return len(pictures) * points


class Memory:
    """How much memory this process and those it started hold at most, in each half of the work."""

    def __init__(self) -> None:
        self._peaks, self._half, self._is_over = [0, 0], 0, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def on_progress(self, done: int, total: int, note: str = "") -> None:
        self._half = int(2 * done > total)

    def peaks_mb(self) -> list[int]:
        self._is_over.set()
        return self._peaks

    def _watch(self) -> None:
        while not self._is_over.wait(0.2):
            held = sum(map(resident_mb, family(os.getpid())))
            self._peaks[self._half] = max(self._peaks[self._half], held)


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []  # it has just ended
    return [pid, *(member for child in children for member in family(int(child)))]


def resident_mb(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0  # it has just ended
    return pages * resource.getpagesize() // 10**6


def film_our_way(
    run: CheckpointRun, z: Tensor, count: int, folder: Path, device: str, memory: Memory
) -> int:
    points = [LatentPoint(str(number), own) for number, own in enumerate(z)]
    plan = make_plan(points, run.batches[:count], OPTIONS, borders=run.key_batches)
    engine = partial(render_parts, devices=[device])
    videos = render_film(run, plan, folder, folder / "film.mp4", engine, memory.on_progress)
    return sum(video.frames for video in videos)


def film_in_a_process(place: Place, device: str) -> dict[str, Any]:
    """Ours, in a process of its own, whose memory is that of the film alone."""
    words = ["--film", "--run", str(place.runs / place.name), "--device", device]
    words += ["--points", str(place.points), "--checkpoints", str(place.checkpoints)]
    command = [sys.executable, "-m", "benchmarks.timelapse", *words]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def film_alone(place: Place, device: str) -> dict[str, Any]:
    run = CheckpointIndex(place.runs)[place.name]
    run.weights(run.batches[0])  # what is compiled and imported once is not filming
    z, memory = choose_points(run.spec, place.points), Memory()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(
            lambda: film_our_way(run, z, place.checkpoints, Path(folder), device, memory)
        )
    halves = dict(zip(("first_half", "second_half"), memory.peaks_mb(), strict=True))
    return {**result, "bytes_read": run.size_bytes, "peak_memory_mb": halves}


def choose_points(spec: GeneratorSpec, count: int) -> Tensor:
    """float32 [count, z_dim]."""
    return torch.stack([seeded_point(seed, spec.z_dim).z for seed in range(count)])


def last_pictures(run: CheckpointRun, z: Tensor, count: int, device: str) -> np.ndarray:
    """Frames as the film has them, for encoding alone: uint8 [count, points, H, W, 3]."""
    frames = FrameRenderer()
    return np.stack([frames.render(G, z) for _, G in run.stream(run.batches[-count:], device)])


def measure_old_ways(
    spec: GeneratorSpec, full: list[Path], points: int, device: str
) -> dict[str, Any]:
    """Both old ways, on a sample of full checkpoints."""
    result: dict[str, Any] = {}
    z = choose_points(spec, points)
    for name, once in (("old", False), ("shared", True)):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            result[name] = measure(
                lambda o=once, p=place: film_the_old_way(spec, full, z, p, o, device)
            )
        loads = len(full) * (1 if once else points)
        result[name]["bytes_read"] = loads * full[0].stat().st_size
        report(f"{name}: {result[name]['frames_per_s']} frames/s")
    return result


def measure_ours(place: Place, device: str) -> dict[str, Any]:
    """Our way, and the floor."""
    ours = film_in_a_process(place, device)
    report(f"ours: {ours['frames_per_s']} frames/s")
    run = CheckpointIndex(place.runs)[place.name]
    z, count = choose_points(run.spec, place.points), min(place.checkpoints, FLOOR_CHECKPOINTS)
    _, G = next(run.stream(run.batches[-1:], device, [run.build().to(device)]))
    forward = measure(lambda: forward_alone(G, z, count, device))
    pictures = last_pictures(run, z, count, device)
    with tempfile.TemporaryDirectory() as folder:
        encode = measure(lambda: encode_alone(pictures, Path(folder)))
    return {"ours": ours, "forward": forward, "encode": encode}


def compare(folder: Path, checkpoints: int, points: int, device: str) -> dict[str, Any]:
    spec = SPEC if device == "cpu" else LARGE
    run = CheckpointIndex(folder).create("film", spec, "visual")
    full = grow(
        run, Training(2e-4, spec, batch_size=BATCH_SIZE, device=device), checkpoints, folder
    )
    run.close()
    result = measure_old_ways(spec, full, points, device)
    return result | measure_ours(Place(folder, "film", checkpoints, points), device)


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
    found = {
        "floor_seconds": round(floor_s, 2),
        "times_the_floor": round(ours["seconds"] / floor_s, 3),
        "cpu_over_that_of_the_floor": round(ours["cpu_seconds"] / (forward + encode), 3),
    }
    for way in {"old", "shared"} & result.keys():
        faster = ours["frames_per_s"] / result[way]["frames_per_s"]
        found[f"times_faster_than_{way}"] = round(faster, 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--checkpoints", type=int, default=1000)
    parser.add_argument("--points", type=int, default=6)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--run", type=Path, metavar="RUNS/NAME", help="film a run that is there")
    parser.add_argument("--film", action="store_true", help="film it, and nothing else")
    wanted = parser.parse_args()
    if wanted.run:
        runs, name = wanted.run.parent, wanted.run.name
        place = Place(runs, name, wanted.checkpoints, wanted.points)
        result = (film_alone if wanted.film else measure_ours)(place, wanted.device)
    else:
        with tempfile.TemporaryDirectory() as folder:
            result = compare(Path(folder), wanted.checkpoints, wanted.points, wanted.device)
    if not wanted.film:
        result |= ratios(result, wanted.device)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
