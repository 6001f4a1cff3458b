"""What a checkpoint costs: bytes, time of the training step, decoding, and what the eye loses.

Trains a real DCGAN-64 generator (3.58 M parameters, batches of 16, Adam at 2e-4, then at 2.5e-5),
and prints one JSON document:

- `step`:     the training step with nothing kept, with `visual` and with `exact`, which take turns
              every few steps of one run; medians, and their ratio to the first;
- `phases`:   bytes a checkpoint and picture error of every batch of a window at both rates, beside
              `torch.save` of everything, `torch.save` of G, safetensors + zstd, and ZipNN;
- `reading`:  checkpoints a second in order on one core, random access, and peak memory.

With --parity alone, it prints what the parity behind each payload costs: bytes, and CPU time of
appending and of reading in order, each with it and without it in turns, as ratios.

What the checkpoints of a training that fails cost is in `benchmarks/collapsed.py`.

    python -m benchmarks.store [--warm-up 300] [--window 256] [--low-window 128] [--folder DIR]
    python -m benchmarks.store --parity [--warm-up 300] [--window 256]
"""

from __future__ import annotations

import argparse
import copy
import io
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import zstandard
from safetensors.torch import save
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex, CheckpointRun, GeneratorSpec
from checkpoints_index.codec.steps.calibration import Calibration
from checkpoints_index.codec.steps.picture_difference import PictureDifference
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.storage.segments import PendingRecord

SPEC = GeneratorSpec("dcgan", {"z_dim": 100, "image_size": 64, "upsampling": "transposed"})
BATCH_SIZE = 16
TURN = 8  # steps that one way of keeping has before it is another's turn
SETTLING = 2  # of them at first: the record of the first one spans the turns of the others
LARGEST_CROP, WIDEST = 128, 512  # px of a crop, channels of the discriminator
UNSEEN = 512
UNSEEN_EVERY = 16  # checkpoints between those whose unseen latents are rendered
STORAGES = ("visual", "exact")
STREAMED = 5  # times that each run is read when parity is measured


class Training:
    """The loop of the DCGAN tutorial on crops of two photographs."""

    def __init__(
        self,
        learning_rate: float,
        spec: GeneratorSpec = SPEC,
        width: int = 64,
        batch_size: int = BATCH_SIZE,
        device: str = "cpu",
    ) -> None:
        torch.manual_seed(0)
        self.G = spec.build().train().to(device)
        self.D = discriminator(width, spec.image_size).to(device)
        self._z_shape, self._device = (batch_size, spec.z_dim), device
        self.optimizer_G, self.optimizer_D = (
            torch.optim.Adam(network.parameters(), learning_rate, betas=(0.5, 0.999))
            for network in (self.G, self.D)
        )
        self._crops = crops(batch_size, spec.image_size)
        self.batch = 0

    def set_learning_rate(self, learning_rate: float) -> None:
        for optimizer in (self.optimizer_G, self.optimizer_D):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate

    def step(self) -> None:
        real = next(self._crops).to(self._device)
        fake = self.G(torch.randn(self._z_shape).to(self._device))
        self.optimizer_D.zero_grad()
        on_real, on_fake = self.D(real), self.D(fake.detach())
        loss_D = bce(on_real, 0.9) + bce(on_fake, 0.0)
        loss_D.backward()
        self.optimizer_D.step()
        self.optimizer_G.zero_grad()
        bce(self.D(fake), 1.0).backward()
        self.optimizer_G.step()
        self.batch += 1

    def everything(self) -> dict[str, Any]:
        parts = (self.G, self.D, self.optimizer_G, self.optimizer_D)
        return {str(i): part.state_dict() for i, part in enumerate(parts)}


def discriminator(width: int, image_size: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    while image_size > 8:
        wider = min(2 * width, WIDEST)
        layers += [
            nn.Conv2d(width, wider, 4, 2, 1, bias=False),
            nn.BatchNorm2d(wider),
            nn.LeakyReLU(0.2),
        ]
        width, image_size = wider, image_size // 2
    D = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, bias=False), nn.Flatten(0))
    for weight in D.parameters():
        if weight.ndim == 4:
            nn.init.normal_(weight, 0, 0.02)  # as DCGAN begins (Radford et al. 2015)
    return D


def bce(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def crops(count: int, size: int) -> Iterator[Tensor]:
    """Endless batches of random crops at two scales, float [count, 3, size, size] in -1..1."""
    choose = np.random.default_rng(0)
    photographs = [photo[::k, ::k] for photo in load_sample_images().images for k in (1, 2)]
    side = min(size, LARGEST_CROP)
    while True:
        batch = []
        for _ in range(count):
            photograph = photographs[choose.integers(len(photographs))]
            y, x = (choose.integers(length - side + 1) for length in photograph.shape[:2])
            crop = photograph[y : y + side, x : x + side]
            batch.append(crop[:, ::-1] if choose.integers(2) else crop)
        pictures = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 127.5 - 1
        yield pictures if side == size else F.interpolate(pictures, size)


def measure_step(training: Training, index: CheckpointIndex, steps: int) -> dict[str, Any]:
    """Milliseconds of a step with nothing kept and with each storage, in turns of one run."""
    runs = {storage: index.create(f"turns-{storage}", SPEC, storage) for storage in STORAGES}
    ways = ("nothing", *STORAGES)
    turns: dict[str, list[list[float]]] = {way: [] for way in ways}
    for turn in range(-len(ways), steps // TURN):  # the first turns compile, and choose steps
        way = ways[turn % len(ways)]
        seconds = []
        for _ in range(TURN):
            began = time.perf_counter()
            training.step()
            if way != "nothing":
                runs[way].append(training.batch, training.G.state_dict())
            seconds.append(time.perf_counter() - began)
        for run in runs.values():
            run.flush()
        if turn >= 0:
            turns[way].append(seconds[SETTLING:])
        report(f"step {training.batch}: {way} {1000 * median(seconds[SETTLING:]):.0f} ms")
    for run in runs.values():
        run.close()
    return {
        "steps_each": (TURN - SETTLING) * len(turns["nothing"]),
        "milliseconds": {
            way: round(1000 * median(itertools.chain(*own)), 1) for way, own in turns.items()
        },
        "ratio_of_medians": {s: slowdown(turns[s], turns["nothing"], median) for s in STORAGES},
        "ratio_of_means": {s: slowdown(turns[s], turns["nothing"], np.mean) for s in STORAGES},
    }


def slowdown(
    slowed: list[list[float]], bare: list[list[float]], average: Callable[[list[float]], Any]
) -> float:
    """Of neighbouring turns, which share what else the machine does; the median of all."""
    ratios = (average(a) / average(b) for a, b in zip(slowed, bare, strict=True))
    return round(float(median(ratios)), 4)


def measure_phase(
    training: Training, index: CheckpointIndex, name: str, window: int
) -> dict[str, Any]:
    """Bytes and errors of every checkpoint of a window of training."""
    runs = {storage: index.create(f"{name}-{storage}", SPEC, storage) for storage in STORAGES}
    kept: dict[str, list[tuple[int, float]]] = {way: [] for way in OLD_WAYS}
    for position in range(window):
        training.step()
        weights = training.G.state_dict()
        for run in runs.values():
            run.append(training.batch, weights)
        if position % (window // 8) == 0:
            for way, write in OLD_WAYS.items():
                began = time.perf_counter()
                kept[way].append((write(training), time.perf_counter() - began))
    for run in runs.values():
        run.flush()
    report(f"{name}: {window} checkpoints kept")
    sizes = {way: np.mean([size for size, _ in values]) for way, values in kept.items() if values}
    sizes |= {storage: run.size_bytes / window for storage, run in runs.items()}
    errors = measure_errors(runs["exact"], runs["visual"])
    for run in runs.values():
        run.close()
    return {
        "checkpoints": window,
        "kB_per_checkpoint": {way: round(float(size) / 1000, 1) for way, size in sizes.items()},
        "milliseconds_to_write": {
            way: round(1000 * median(s for _, s in values), 1) for way, values in kept.items()
        },
        "visual_against_exact": errors,
    }


def measure_errors(exact: CheckpointRun, visual: CheckpointRun) -> dict[str, Any]:
    """How pictures differ: at calibration points in every checkpoint, at unseen ones in some."""
    calibration = Calibration(SPEC, ErrorBound())
    unseen = torch.randn(UNSEEN, SPEC.z_dim, generator=torch.manual_seed(1))
    worst, rms = 0, []
    counts = np.zeros(256, np.int64)
    for position, batch in enumerate(exact.batches):
        a, b = exact.weights(batch), visual.weights(batch)
        difference: PictureDifference = calibration.compare(a, b)
        worst, rms = max(worst, difference.largest), [*rms, difference.rms]
        if position % UNSEEN_EVERY == 0:
            levels = (draw(a, unseen) - draw(b, unseen)).abs().flatten()
            counts += torch.bincount(levels, minlength=256).numpy()
    total = int(counts.sum())
    return {
        "calibration_points": {
            "largest": worst,
            "rms_mean": round(float(np.mean(rms)), 4),
            "rms_largest": round(max(rms), 4),
        },
        "unseen_latents": {
            "values": total,
            "largest": int(np.flatnonzero(counts)[-1]),
            "share_differing": float(counts[1:].sum() / total),
            "share_differing_by_2": float(counts[2:].sum() / total),
            "share_differing_by_3": float(counts[3:].sum() / total),
        },
    }


@torch.inference_mode()
def draw(weights: dict[str, Tensor], z: Tensor) -> Tensor:
    """Pictures of latent points [N, z_dim] in levels 0..255: int64 [N, 3, 64, 64]."""
    G = SPEC.build()
    G.load_state_dict(weights)
    return ((G(z).clamp(-1, 1) + 1) * 127.5).round().long()


def write_everything(training: Training) -> int:
    return saved_bytes(training.everything())


def write_G(training: Training) -> int:
    return saved_bytes(training.G.state_dict())


def write_safetensors(training: Training) -> int:
    weights = {name: tensor.contiguous() for name, tensor in training.G.state_dict().items()}
    return len(zstandard.ZstdCompressor(level=1).compress(save(weights)))


def write_zipnn(training: Training) -> int:
    from zipnn import ZipNN

    floats = [t.reshape(-1) for t in training.G.state_dict().values() if t.is_floating_point()]
    packer = ZipNN(input_format="byte", bytearray_dtype="float32")
    return len(packer.compress(torch.cat(floats).numpy().tobytes()))


def saved_bytes(thing: Any) -> int:
    file = io.BytesIO()
    torch.save(thing, file)
    return file.tell()


OLD_WAYS: dict[str, Callable[[Training], int]] = {
    "torch.save of everything": write_everything,
    "torch.save of G": write_G,
    "safetensors + zstd": write_safetensors,
    "ZipNN": write_zipnn,
}


def measure_parity(training: Training, index: CheckpointIndex, window: int) -> dict[str, Any]:
    """What parity costs in bytes and CPU time, as ratios of runs with it to runs without."""
    names = [f"{storage}-{way}" for storage in STORAGES for way in ("with", "without")]
    runs = {name: index.create(name, SPEC, name.partition("-")[0]) for name in names}
    appending: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-1, window // TURN):  # the first turn compiles, and chooses steps
        history = []
        for _ in range(TURN):
            training.step()
            history.append((training.batch, copy.deepcopy(training.G.state_dict())))
        for name in names if turn % 2 else reversed(names):
            with keeping_parity(name.endswith("-with")):
                began = time.process_time()
                for batch, weights in history:
                    runs[name].append(batch, weights)
                runs[name].flush()
            if turn >= 0:
                appending[name].append(time.process_time() - began)
        report(f"step {training.batch}: appended to all")
    for run in runs.values():
        run.close()
    streaming: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(STREAMED):
        for name in names if turn % 2 else reversed(names):
            began = time.process_time()
            for _ in runs[name].stream():
                pass
            streaming[name].append(time.process_time() - began)
    return {
        storage: {
            "checkpoints": window + TURN,
            "bytes": round(
                runs[f"{storage}-with"].size_bytes / runs[f"{storage}-without"].size_bytes, 5
            ),
            "appending": against(appending, storage),
            "reading_in_order": against(streaming, storage),
        }
        for storage in STORAGES
    }


def against(seconds: dict[str, list[float]], storage: str) -> dict[str, float]:
    """The median of the ratios of neighbouring turns, and the quarters around it."""
    pairs = zip(seconds[f"{storage}-with"], seconds[f"{storage}-without"], strict=True)
    low, middle, high = np.percentile([a / b for a, b in pairs], [25, 50, 75])
    return {"median": round(middle, 4), "quarter": round(low, 4), "three_quarters": round(high, 4)}


@contextmanager
def keeping_parity(wanted: bool) -> Iterator[None]:
    """Write records with their parity, or as they were before there was any."""
    genuine = PendingRecord.with_parity
    if not wanted:
        PendingRecord.with_parity = lambda record: record  # type: ignore[method-assign]
    try:
        yield
    finally:
        PendingRecord.with_parity = genuine  # type: ignore[method-assign]


def measure_reading(folder: Path, name: str) -> dict[str, Any]:
    """Read a run in a process of its own, on one core."""
    command = [sys.executable, __file__, "--read", str(folder), name]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def read(folder: Path, name: str) -> dict[str, Any]:
    torch.set_num_threads(1)
    run = CheckpointIndex(folder)[name]
    run.weights(run.batches[0])  # what is compiled and imported once is not reading
    batches = run.batches
    half = len(batches) // 2
    began, cpu = time.perf_counter(), time.process_time()
    for position, _ in enumerate(run.stream()):
        if position == half:
            peak_of_half = peak_mb()
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    peak = peak_mb()
    choose, waits = random.Random(0), []
    for batch in choose.sample(batches, min(60, len(batches))):
        again = time.perf_counter()
        run.weights(batch)
        waits.append(time.perf_counter() - again)
    steps = []
    for batch in (*batches[-20:], *reversed(batches[-20:])):
        again = time.perf_counter()
        run.weights(batch)
        steps.append(time.perf_counter() - again)
    return {
        "in_order_per_s": round(len(batches) / seconds, 1),
        "in_order_per_cpu_s": round(len(batches) / cpu_s, 1),
        "random_access_ms_mean": round(1000 * float(np.mean(waits)), 1),
        "neighbour_ms_median": round(1000 * median(steps), 1),
        "peak_memory_mb_at_half": peak_of_half,
        "peak_memory_mb": peak,
    }


def peak_mb() -> int:
    """Of this process alone; getrusage would count what its parent held."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1000


def report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--warm-up", type=int, default=480, help="steps; the turns are taken here")
    parser.add_argument("--window", type=int, default=256, help="checkpoints at 2e-4")
    parser.add_argument("--low-window", type=int, default=128, help="checkpoints at 2.5e-5")
    parser.add_argument("--folder", type=Path, help="keep the runs here")
    parser.add_argument("--parity", action="store_true", help="only measure what parity costs")
    parser.add_argument("--read", nargs=2, metavar=("DIR", "RUN"), help="only read a run")
    wanted = parser.parse_args()
    if wanted.read:
        print(json.dumps(read(Path(wanted.read[0]), wanted.read[1])))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = wanted.folder or Path(scratch)
        index, training = CheckpointIndex(folder), Training(2e-4)
        if wanted.parity:
            for _ in range(wanted.warm_up):
                training.step()
            print(json.dumps(measure_parity(training, index, wanted.window), indent=1))
            return
        result: dict[str, Any] = {"parameters": sum(p.numel() for p in training.G.parameters())}
        result["step"] = measure_step(training, index, wanted.warm_up)
        result["phases"] = {"2e-4": measure_phase(training, index, "high", wanted.window)}
        training.set_learning_rate(2.5e-5)
        result["phases"]["2.5e-5"] = measure_phase(training, index, "low", wanted.low_window)
        result["reading"] = {
            f"{name}-{storage}": measure_reading(folder, f"{name}-{storage}")
            for name in ("high", "low")
            for storage in STORAGES
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
