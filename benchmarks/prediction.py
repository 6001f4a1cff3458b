"""What predicted differences save in exact storage, and what they cost, against the format before.

Trains a DCGAN-64 generator (3.58 M parameters, batches of 16, Adam at 2e-4) and keeps every
checkpoint from the first batch on, of the weights themselves and of moving averages of them (EMA;
"warmed" ones follow more closely at first, as those of the studio's recipes do), each in a run
with predictions and in one of the format before, which has none. It prints one JSON document:
bytes a checkpoint and their ratio, CPU time of appending and of reading in order in turns, as
ratios, and milliseconds of random access. Every checkpoint is read back and compared.

    python -m benchmarks.prediction [--batches 96]
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.store import SPEC, Training, report
from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import write_description

SOURCES = {  # by name the decay at a batch; with 0 the weights themselves are kept
    "G": lambda batch: 0.0,
    "EMA-0.995-warmed": lambda batch: min(0.995, (1 + batch) / (10 + batch)),
    "EMA-0.995": lambda batch: 0.995,
    "EMA-0.999": lambda batch: 0.999,
}
FORMATS = {"before": segments.FORMAT, "now": segments.PREDICTING_FORMAT}
TURNS = 3  # times that each run is read in order
ACCESSES = 24


class Source:
    """One generator whose checkpoints are kept in a run of each format.

    Args:
        index: where the runs are created.
        weights: those before the first batch.
        name: one of SOURCES.
    """

    def __init__(self, index: CheckpointIndex, weights: dict[str, Tensor], name: str) -> None:
        self.name = name
        self._weights = copy.deepcopy(weights)
        self.runs = {way: create(index, f"{self.name}-{way}", FORMATS[way]) for way in FORMATS}
        self.appending = dict.fromkeys(FORMATS, 0.0)

    def append(self, batch: int, weights: dict[str, Tensor]) -> None:
        decay = SOURCES[self.name](batch)
        for own, new in zip(self._weights.values(), weights.values(), strict=True):
            is_averaged = decay and own.is_floating_point()
            own.lerp_(new, 1 - decay) if is_averaged else own.copy_(new)
        for way in FORMATS if batch % 2 else reversed(FORMATS):
            began = time.process_time()
            self.runs[way].append(batch, self._weights)
            self.runs[way].flush()
            self.appending[way] += time.process_time() - began

    def measure(self) -> dict[str, Any]:
        refuse_if_different(self.runs["before"], self.runs["now"])
        count = len(self.runs["now"].batches)
        kB = {way: round(run.size_bytes / count / 1000, 1) for way, run in self.runs.items()}
        seconds: dict[str, list[float]] = {way: [] for way in FORMATS}
        for turn in range(TURNS):
            for way in FORMATS if turn % 2 else reversed(FORMATS):
                seconds[way].append(read_in_order(self.runs[way]))
        pairs = zip(seconds["before"], seconds["now"], strict=True)
        return {
            "checkpoints": count,
            "kB_per_checkpoint": kB,
            "bytes_ratio": round(kB["now"] / kB["before"], 4),
            "appending_cpu_ratio": round(self.appending["now"] / self.appending["before"], 3),
            "reading_speed_ratio": round(median(before / now for before, now in pairs), 3),
            "in_order_per_cpu_s": {w: round(count / median(s), 1) for w, s in seconds.items()},
            "random_access_ms": {way: access_randomly(run) for way, run in self.runs.items()},
        }


def create(index: CheckpointIndex, name: str, run_format: int) -> CheckpointRun:
    """An exact run of a format: a new one, described as an older version would have."""
    run = index.create(name, SPEC, "exact")
    known, folder = run.spec, run.folder
    run.close()
    run_id = json.loads((folder / "generator.json").read_bytes())["id"]
    (folder / "generator.json").unlink()
    write_description(folder, known, "exact", None, run_id, run_format)
    return index[name]


def refuse_if_different(a: CheckpointRun, b: CheckpointRun) -> None:
    for batch in a.batches:
        first, second = a.weights(batch), b.weights(batch)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--batches", type=int, default=96, help="batches, all of them kept")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        index, training = CheckpointIndex(Path(scratch)), Training(2e-4)
        sources = [Source(index, training.G.state_dict(), name) for name in SOURCES]
        for _ in range(wanted.batches):
            training.step()
            for source in sources:
                source.append(training.batch, training.G.state_dict())
        report(f"{wanted.batches} batches kept")
        print(json.dumps({source.name: source.measure() for source in sources}, indent=1))


if __name__ == "__main__":
    main()
