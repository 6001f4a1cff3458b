"""What a film of a large generator takes, stage by stage, and which stage is the slowest.

Keeps some checkpoints of `skyline` (117.5 M parameters at 1024x1024) in storage visual or exact,
and prints one JSON document: bytes, CPU seconds of encoding, of decoding by each path, and of what
is left on the CPU where a device unpacks; bytes that cross the bus; forward passes, x264, and peak
memory. CPU seconds are those of the whole process. The stages of a film of six points are then
compared, and the slowest is named, with a forecast for 19,000 checkpoints on the devices there are.

    python -m benchmarks.large [--checkpoints 8] [--storages visual] [--rate 2e-4] [--device cpu]
    python -m benchmarks.large --wide            as many weights, stored as those of 64x64 pictures
    python -m benchmarks.large --scale 16        pictures of 64x64, a tenth of the weights

Visual storage renders a dozen pictures to choose its steps, which at 1024x1024 take a processor
more than a minute, and two in each check (`benchmarks.appending`). With --wide a generator of 64x64
pictures and wider layers is stored, and only passes and encoding are those of 1024x1024, of a
generator that is not trained.

The weights are not those of a training, whose steps take minutes on a processor. They are drawn
as a generator begins, and moved by steps of Adam (betas 0.5 and 0.999) along gradients that are
noise, which move weights as far as Adam does in a training that has just begun; `--trained` trains,
against a discriminator on crops of photographs. Three paths decode the same checkpoints, which are
compared bit for bit:

- `numba`:   the kernels, as films on a processor use them: decoded, then scaled into the weights;
- `tensors`: the tensor operations that a device unpacks with, on the device that is given;
- `feeding`: what is left on the CPU then: reading, checksum, zstandard, layout.

On a GPU a film is made as well, and the overlap of its stages is printed: what the slowest of them
takes alone, over what the film takes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.store import Training, report
from benchmarks.timelapse import (
    Place,
    choose_points,
    cpu_seconds,
    encode_alone,
    film_in_a_process,
)
from checkpoints_index import CheckpointIndex, CheckpointRun, GeneratorSpec
from checkpoints_index.reading.device_feed import DeviceFeed
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.reading.resident_integers import ResidentIntegers
from checkpoints_index.reading.stream import PREFETCH, WeightFeed, WeightSwapper
from checkpoints_index.reading.transfers import DeviceStreams
from checkpoints_index.storage.catalogue import Catalogue
from renderers.frames.frame_renderer import FrameRenderer

WIDE = GeneratorSpec("skyline", {"z_dim": 100, "image_size": 64, "width": 3.17})
MOMENTUM = 0.5
POINTS, FILMED = 6, 19_000
TURNS = 3  # times that each path decodes all checkpoints
ENCODED_FRAMES = 24


def made_up(spec: GeneratorSpec, count: int, rate: float) -> Iterator[dict[str, Tensor]]:
    """Weights as a generator begins, moved by Adam along noise, whose second moment is constant."""
    torch.manual_seed(0)
    weights = spec.build().state_dict()
    moments = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
    for batch in range(1, count + 21):
        for name, tensor in weights.items():
            moments[name].mul_(MOMENTUM).add_(torch.randn_like(tensor), alpha=1 - MOMENTUM)
            if batch > 20:  # The first moment has forgotten how it began.
                tensor.add_(moments[name], alpha=-rate)
        if batch > 20:
            yield weights


def trained(
    spec: GeneratorSpec, count: int, rate: float, device: str
) -> Iterator[dict[str, Tensor]]:
    training = Training(rate, spec, batch_size=2, device=device)
    for _ in range(count):
        training.step()
        yield training.G.state_dict()


def keep(run: CheckpointRun, states: Iterator[dict[str, Tensor]]) -> dict[str, Any]:
    """Append every state, and measure each append until it is on disk."""
    seconds = []
    for batch, weights in enumerate(states, 1):
        began = time.process_time()
        run.append(batch, weights)
        run.flush()
        seconds.append(time.process_time() - began)
        report(f"checkpoint {batch} kept in {seconds[-1]:.1f} s of CPU")
    records = [run._catalogue.records[batch] for batch in run.batches]
    sizes = [record.payload_bytes for record in records]
    return {
        "checkpoints": len(sizes),
        "MB_of_weights": round(run.plain_bytes / 1e6, 1),
        "MB_of_the_key": round(sizes[0] / 1e6, 2),
        "MB_a_difference": round(median(sizes[1:]) / 1e6, 2),
        "encode_first_cpu_s": round(seconds[0], 2),
        "encode_cpu_s": round(median(seconds[1:]), 2),
    }


class DecodingPath:
    """One way from a run to the weights of a module, in two halves, each measured on its own.

    Args:
        run: the run.
        device: where the module is.
        name: "numba" or "tensors".
    """

    def __init__(self, run: CheckpointRun, device: torch.device, name: str) -> None:
        self._reader = CheckpointReader(Catalogue(run.name, run.folder), threads=1)
        self.G = run.build().to(device)
        self._weights = self.G.state_dict()
        if name == "numba":
            self._decode = WeightFeed(self._reader).decode
            self._swap: Callable[..., None] = WeightSwapper(device).swap
        else:
            streams = DeviceStreams(device)
            self._decode = DeviceFeed(self._reader, streams, PREFETCH + 1).decode
            self._swap = ResidentIntegers(run.name, streams).swap
        self.seconds: list[tuple[float, float]] = []  # CPU time of both halves
        self.swapping_s: list[float] = []
        self.bytes_sent: list[int] = []

    def go_to(self, batch: int) -> None:
        began = time.process_time()
        decoded = self._decode(batch)
        half, wall = time.process_time(), time.perf_counter()
        self._swap(decoded, self._weights)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.swapping_s.append(time.perf_counter() - wall)
        self.seconds.append((half - began, time.process_time() - half))
        steps = getattr(decoded, "steps", [])
        self.bytes_sent.append(sum(step.staged.buffer.nbytes for step in steps))

    def feed(self, batch: int) -> float:
        """CPU seconds of what is left on the CPU alone; nothing is sent or unpacked."""
        began = time.process_time()
        self._decode(batch)
        return time.process_time() - began

    def close(self) -> None:
        self._reader.close()


def decode(run: CheckpointRun, device: torch.device) -> dict[str, Any]:
    """CPU seconds a checkpoint in order, the first of a pass left out, of paths in turns."""
    paths = {name: DecodingPath(run, device, name) for name in ("numba", "tensors")}
    for _ in range(TURNS):
        for batch in run.batches:
            for path in paths.values():
                path.go_to(batch)
            a, b = (path.G.state_dict() for path in paths.values())
            if not all(torch.equal(a[name], b[name]) for name in a):
                raise SystemExit(f"batch {batch} differs")
    followers = [i for i in range(TURNS * len(run.batches)) if i % len(run.batches)]
    numba, tensors = (np.array([path.seconds[i] for i in followers]) for path in paths.values())
    paths["tensors"].feed(run.batches[0])
    feeding = [paths["tensors"].feed(batch) for _ in range(TURNS) for batch in run.batches[1:]]
    sent = [paths["tensors"].bytes_sent[i] for i in followers]
    for path in paths.values():
        path.close()
    found = {
        "numba_cpu_s": float(np.median(numba.sum(1))),
        "tensors_cpu_s": float(np.median(tensors.sum(1))),
        "feeding_cpu_s": float(np.median(feeding)),
        "feeding_least_cpu_s": min(feeding),
        "numba_decoding_alone_cpu_s": float(np.median(numba[:, 0])),
        "unpacking_on_the_device_s": median(paths["tensors"].swapping_s[i] for i in followers),
    }
    found = {name: round(seconds, 4) for name, seconds in found.items()}
    ratio = found["feeding_cpu_s"] / found["numba_cpu_s"]
    return {
        **found,
        "feeding_over_numba": round(ratio, 3),
        "checkpoints_per_s_fed_by_a_core": round(1 / found["feeding_cpu_s"], 1),
        "MB_sent": round(median(sent) / 1e6, 2),
    }


def render(G: nn.Module, spec: GeneratorSpec, device: str) -> tuple[dict[str, Any], np.ndarray]:
    """Pictures, and what those of all points take."""
    points, frames = POINTS if device != "cpu" else 1, FrameRenderer()
    z = choose_points(spec, points)
    pictures = frames.render(G, z)
    began, before = time.perf_counter(), time.process_time()
    pictures = frames.render(G, z)
    seconds, cpu = time.perf_counter() - began, time.process_time() - before
    return {
        "forward_s": round(seconds * POINTS / points, 3),
        "forward_cpu_s": round(cpu * POINTS / points, 3),
    }, pictures


def encode(pictures: np.ndarray) -> dict[str, Any]:
    """x264 of a picture that moves a little, as those of neighbouring checkpoints do."""
    noise = np.random.default_rng(0)
    one = pictures[:1].astype(np.int16)
    moving = [
        np.clip(one + noise.integers(-2, 3, one.shape), 0, 255) for _ in range(ENCODED_FRAMES)
    ]
    with tempfile.TemporaryDirectory() as folder:
        before = cpu_seconds()
        encode_alone(np.stack(moving).astype(np.uint8), Path(folder))
        seconds = (cpu_seconds() - before) / ENCODED_FRAMES
    return {"x264_cpu_s": round(POINTS * seconds, 3)}


def find_bottleneck(stages: dict[str, float], devices: int) -> dict[str, Any]:
    """The slowest stage of a film, where all of them overlap.

    Args:
        stages: seconds a checkpoint of each, all cores or one device at work.
        devices: that render.
    """
    slowest = max(stages, key=lambda stage: stages[stage])
    shared = {"feeding", "x264"}  # Cores are shared by all devices.
    a_checkpoint = max(
        seconds / (1 if stage in shared else devices) for stage, seconds in stages.items()
    )
    return {
        "seconds_a_checkpoint": {stage: round(seconds, 4) for stage, seconds in stages.items()},
        "slowest": slowest,
        "frames_per_s": round(POINTS / a_checkpoint, 2),
        f"hours_for_{FILMED}_checkpoints": round(FILMED * a_checkpoint / 3600, 2),
        "devices": devices,
        "cores": os.cpu_count(),
    }


def measure(run: CheckpointRun, shown: GeneratorSpec, device: str) -> dict[str, Any]:
    decoding = decode(run, torch.device(device))
    report(f"decoded: {decoding}")
    is_own = shown == run.spec
    G = run.generator(run.batches[-1], device) if is_own else shown.build().eval().to(device)
    forward, pictures = render(G, shown, device)
    encoding, cores = encode(pictures), os.cpu_count() or 1
    is_gpu = device != "cpu"
    on_cpu = decoding["feeding_cpu_s" if is_gpu else "numba_cpu_s"]
    stages = {
        "feeding": on_cpu / cores,
        "forward": forward["forward_s"],
        "x264": encoding["x264_cpu_s"] / cores,
    }
    if is_gpu:
        stages["unpacking"] = decoding["unpacking_on_the_device_s"]
    found = find_bottleneck(stages, max(1, torch.cuda.device_count()) if is_gpu else 1)
    if is_gpu and is_own:
        place = Place(run.folder.parents[1], run.name, len(run.batches), POINTS)
        film = film_in_a_process(place, device)
        alone = max(stages.values()) * len(run.batches)
        found |= {"film": film, "overlap": round(alone / film["seconds"], 3)}
    return {"decode": decoding, **forward, **encoding, "film": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--checkpoints", type=int, default=8)
    parser.add_argument("--storages", nargs="+", default=["visual"], choices=["visual", "exact"])
    parser.add_argument("--rate", type=float, default=2e-4, help="learning rate")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--scale", type=int, default=1, help="divides the picture's size")
    parser.add_argument("--wide", action="store_true", help="store wide layers, small pictures")
    parser.add_argument("--trained", action="store_true", help="real steps of training")
    wanted = parser.parse_args()
    shown = GeneratorSpec("skyline", {"z_dim": 100, "image_size": 1024 // wanted.scale})
    spec = WIDE if wanted.wide else shown
    count, rate = wanted.checkpoints, wanted.rate
    source = "training" if wanted.trained else "Adam along noise"
    result: dict[str, Any] = {"weights_from": source, "rate": rate}
    for storage in wanted.storages:
        with tempfile.TemporaryDirectory() as folder:
            run = CheckpointIndex(Path(folder)).create("large", spec, storage)
            if wanted.trained:
                kept = keep(run, trained(spec, count, rate, wanted.device))
            else:
                kept = keep(run, made_up(spec, count, rate))
            run.close()
            run = CheckpointIndex(Path(folder))["large"]
            result[storage] = {**kept, **measure(run, shown, wanted.device)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**result, "peak_memory_MB": round(peak * 1024 / 1e6)}, indent=1))


if __name__ == "__main__":
    main()
