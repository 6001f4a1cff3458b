"""What predicted differences save, and what they cost, against the format before.

Every checkpoint from the first batch on is kept twice, with predictions and in the format before,
which has none (and in `visual` storage began a segment for larger steps however few bytes they
would save). Each part prints one JSON document: bytes a checkpoint and their ratio, CPU time of
appending and of reading in order in turns, as ratios, milliseconds of random access, and
milliseconds a checkpoint of walking backwards. What was read back is compared.

- `exact`:  a DCGAN-64 generator (3.58 M parameters, batches of 16, Adam at 2e-4): the weights
            themselves and moving averages of them (EMA; "warmed" ones follow more closely at
            first, as those of the studio's recipes do);
- `visual`: the same in `visual` storage;
- `demo`:   the run of `studio demo` in `visual` storage: its preset on its map of a city, whose
            moving average is a warmed one of 0.995.

    python -m benchmarks.prediction [--parts exact,visual,demo] [--batches 96]
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

import studio
from benchmarks.store import SPEC, Training, report
from checkpoints_index import CheckpointIndex, CheckpointRun, GeneratorSpec
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import write_description
from checkpoints_index.writing import encoder
from studio.actions.demo_steps import HELSINKI
from studio.datasets.prepared import PreparedDataset
from studio.training.data.batches import Batches
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import build_recipe
from studio.training.setup.presets import DEMO

Weights = dict[str, Tensor]

SOURCES = {  # by name the decay at a batch; with 0 the weights themselves are kept
    "G": lambda batch: 0.0,
    "EMA-0.995-warmed": lambda batch: min(0.995, (1 + batch) / (10 + batch)),
    "EMA-0.999-warmed": lambda batch: min(0.999, (1 + batch) / (10 + batch)),
    "EMA-0.995": lambda batch: 0.995,
    "EMA-0.999": lambda batch: 0.999,
}
KEPT = {
    "exact": ("G", "EMA-0.995-warmed", "EMA-0.995", "EMA-0.999"),
    "visual": ("G", "EMA-0.999-warmed", "EMA-0.999"),
}
FORMATS = {
    "exact": {"before": segments.FORMAT, "now": segments.PREDICTING_FORMAT},
    "visual": {"before": segments.FORMAT, "now": segments.TRACKING_FORMAT},
}
WAYS = ("before", "now")
KEYS_WORTH = {"before": 0.0, "now": encoder.KEYS_WORTH}
TURNS = 3  # times that each run is read in order
ACCESSES = 30
WALK = 200  # checkpoints that are walked back


class Source:
    """One generator whose checkpoints are kept in a run of each format.

    Args:
        index: where the runs are created.
        spec: what rebuilds it.
        storage: that of the runs.
        weights: those before the first batch.
        name: what the runs are called after.
        decay: at a batch, that of a moving average of what is appended.
    """

    def __init__(
        self,
        index: CheckpointIndex,
        spec: GeneratorSpec,
        storage: str,
        weights: Weights,
        name: str,
        decay: Callable[[int], float],
    ) -> None:
        self.name, self._decay = name, decay
        self._weights = copy.deepcopy(weights)
        self.runs = {
            way: create(index, f"{name}-{storage}-{way}", spec, storage, FORMATS[storage][way])
            for way in WAYS
        }
        self.appending = dict.fromkeys(WAYS, 0.0)

    def append(self, batch: int, weights: Weights) -> None:
        decay = self._decay(batch)
        for own, new in zip(self._weights.values(), weights.values(), strict=True):
            is_averaged = decay and own.is_floating_point()
            own.lerp_(new, 1 - decay) if is_averaged else own.copy_(new)
        for way in WAYS if batch % 2 else reversed(WAYS):
            encoder.KEYS_WORTH = KEYS_WORTH[way]
            began = time.process_time()
            self.runs[way].append(batch, self._weights)
            self.runs[way].flush()
            self.appending[way] += time.process_time() - began

    def measure(self) -> dict[str, Any]:
        for run in self.runs.values():
            run.close()
        exact = self.runs["now"].storage == "exact"
        refuse_unless_sound(self.runs, exact)
        count = len(self.runs["now"].batches)
        kB = {way: round(run.size_bytes / count / 1000, 1) for way, run in self.runs.items()}
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for turn in range(TURNS):
            for way in WAYS if turn % 2 else reversed(WAYS):
                seconds[way].append(read_in_order(self.runs[way]))
        pairs = zip(seconds["before"], seconds["now"], strict=True)
        return {
            "checkpoints": count,
            "kB_per_checkpoint": kB,
            "bytes_ratio": round(kB["now"] / kB["before"], 4),
            "appending_cpu_ms": {w: round(1000 * s / count, 2) for w, s in self.appending.items()},
            "appending_cpu_ratio": round(self.appending["now"] / self.appending["before"], 3),
            "reading_speed_ratio": round(median(before / now for before, now in pairs), 3),
            "in_order_per_cpu_s": {w: round(count / median(s), 1) for w, s in seconds.items()},
            "random_access_ms": {way: access_randomly(run) for way, run in self.runs.items()},
            "walking_back_ms": {way: walk_back(run) for way, run in self.runs.items()},
        }


def create(
    index: CheckpointIndex, name: str, spec: GeneratorSpec, storage: str, run_format: int
) -> CheckpointRun:
    """A run of a format: a new one, described as an older version would have."""
    run = index.create(name, spec, storage)
    known, bound, folder = run.spec, run.error_bound, run.folder
    run.close()
    run_id = json.loads((folder / "generator.json").read_bytes())["id"]
    (folder / "generator.json").unlink()
    write_description(folder, known, storage, bound, run_id, run_format)
    return index[name]


def refuse_unless_sound(runs: dict[str, CheckpointRun], exact: bool) -> None:
    """Compare both runs where every bit is kept; else decode all, each against its checksum."""
    for run in runs.values():
        if any(found.reason is not None for found in run.verify(deep=True)):
            raise SystemExit(f"{run.name} is damaged")
    for batch in runs["now"].batches if exact else ():
        first, second = runs["before"].weights(batch), runs["now"].weights(batch)
        if not all(torch.equal(first[name], second[name]) for name in first):
            raise SystemExit(f"batch {batch} differs")


def read_in_order(run: CheckpointRun) -> float:
    """CPU seconds of streaming all checkpoints."""
    began = time.process_time()
    for _ in run.stream():
        pass
    return time.process_time() - began


def access_randomly(run: CheckpointRun) -> float:
    """Milliseconds of CPU time, the mean of some checkpoints in a random order."""
    choose, began = random.Random(0), time.process_time()
    for batch in choose.sample(run.batches, min(ACCESSES, len(run.batches))):
        run.weights(batch)
    return round(1000 * (time.process_time() - began) / ACCESSES, 1)


def walk_back(run: CheckpointRun) -> float:
    """Milliseconds of CPU time a checkpoint, from the last one back."""
    walked = run.batches[: -WALK - 1 : -1]
    began = time.process_time()
    for _ in run.stream(walked):
        pass
    return round(1000 * (time.process_time() - began) / len(walked), 2)


def train_dcgan(training: Training, batches: int) -> Iterator[tuple[int, Weights]]:
    """Each batch with the generator's weights behind it."""
    for _ in range(batches):
        training.step()
        yield training.batch, training.G.state_dict()


def measure_dcgan(index: CheckpointIndex, storage: str, batches: int) -> dict[str, Any]:
    training = Training(2e-4)
    beginning = training.G.state_dict()
    sources = [
        Source(index, SPEC, storage, beginning, name, SOURCES[name]) for name in KEPT[storage]
    ]
    for batch, weights in train_dcgan(training, batches):
        for source in sources:
            source.append(batch, weights)
    report(f"{storage}: {batches} batches kept")
    return {source.name: source.measure() for source in sources}


def measure_demo(index: CheckpointIndex, scratch: Path, batches: int) -> dict[str, Any]:
    here = studio.open(scratch / "workspace")
    asked = ("name", "image_size", "metres_per_pixel", "count")
    here.datasets_add_cities(**{field: getattr(HELSINKI, field) for field in asked})
    folder = scratch / "workspace" / "datasets" / HELSINKI.name
    recipe = build_recipe(DEMO, Processes.single("cpu"))
    pixels, size = PreparedDataset.open(folder).pixels, DEMO.image_size
    device = torch.device("cpu")
    with closing(Batches(pixels, size, DEMO.batch_size, 0, True, device)) as reals:
        watch, kept = Stopwatch(), recipe.rendered.state_dict()
        source = Source(index, DEMO.generator_spec(), "visual", kept, "demo", lambda batch: 0.0)
        for batch in range(1, batches + 1):
            recipe.step(reals, watch)
            source.append(batch, recipe.rendered.state_dict())
    report(f"demo: {batches} batches kept")
    return source.measure()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--parts", default="exact,visual,demo", help="some of exact, visual, demo")
    parser.add_argument("--batches", type=int, default=96, help="batches, all of them kept")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        index = CheckpointIndex(Path(scratch) / "runs")
        for part in wanted.parts.split(","):
            if part == "demo":
                found = measure_demo(index, Path(scratch), wanted.batches)
            else:
                found = measure_dcgan(index, part, wanted.batches)
            print(json.dumps({part: found}, indent=1), flush=True)


if __name__ == "__main__":
    main()
