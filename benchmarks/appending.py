"""What appending holds of a training of a large generator: its time, its memory, and its cores.

Prints one JSON document. Two parts, each in a process of its own:

- `full`: trains `skyline` at full size (117.5 M parameters, 1024x1024; the studio's recipe, on
          made-up pictures) for some steps, and keeps the checkpoint of each. Before these, steps
          that keep nothing tell the training's own peak of memory, and the seconds of a step.
- `pace`: 111.5 M weights that move every half a second, and are kept, of a generator whose pictures
          cost next to nothing; on a GPU those of `skyline` take milliseconds. There is no training
          beside it.

For each checkpoint: how long `append` held its caller, and how long the step waited before it
changed the weights, which were lent; seconds of CPU of the threads that append; bytes. Memory is
the peak of the process (VmHWM) above that before the first checkpoint, over that of the weights.

    python -m benchmarks.appending [--parts full pace] [--steps 6] [--scale 1] [--batch-size 2]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import torch
from torch import Tensor

from benchmarks.store import peak_mb, report
from checkpoints_index import CheckpointIndex, CheckpointRun, GeneratorSpec
from checkpoints_index.codec.steps.lean_calibration import calibration_of
from checkpoints_index.storage.error_bound import ErrorBound
from studio.runs.config import TrainingConfig
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import Recipe, build_recipe

PACE_S, PACED = 0.5, 64  # seconds between checkpoints, and how many of them
ALONE = 2  # steps without keeping: the first one makes what the optimiser remembers
RATE = 2e-4  # how far the weights move in a step
WIDE = 9000
CHEAP = GeneratorSpec(
    "chain",
    {
        "z_dim": 100,
        "image_size": 64,
        "layers": [
            {"layer": "Linear", "name": "hidden", "in_features": 100, "out_features": WIDE},
            {"layer": "LeakyReLU", "negative_slope": 0.2},
            {"layer": "Linear", "name": "last", "in_features": WIDE, "out_features": 3 * 64 * 64},
            {"layer": "Unflatten", "dim": 1, "unflattened_size": [3, 64, 64]},
            {"layer": "Tanh"},
        ],
    },
)


class Holder:
    """Keeps checkpoints as the training loop does, and counts what that takes.

    Args:
        run: takes the checkpoints.
    """

    def __init__(self, run: CheckpointRun) -> None:
        self.run = run
        self.held_s: list[float] = []  # by `append`, for each checkpoint
        self.waited_s: list[float] = []  # until the weights could be changed
        self._before_mb = peak_mb()
        self._others = {thread.id for thread in psutil.Process().threads()}

    def append(self, batch: int, weights: dict[str, Tensor]) -> None:
        self.held_s.append(seconds_of(lambda: self.run.append(batch, weights, lent=True)))

    def wait(self) -> None:
        if self.held_s:
            self.waited_s.append(seconds_of(self.run.wait_until_copied))

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU of the threads that copy, encode, write and render."""
        threads = psutil.Process().threads()
        return sum(t.user_time + t.system_time for t in threads if t.id not in self._others)

    def report(self) -> dict[str, Any]:
        """Everything that was measured, once all is on the disk."""
        self.wait()
        self.run.flush()
        weights_mb = self.run.plain_bytes / 1e6
        above_mb = peak_mb() * 1.024 - self._before_mb * 1.024
        records = [self.run._catalogue.records[batch] for batch in self.run.batches]
        return {
            "checkpoints": len(records),
            "MB_of_weights": round(weights_mb, 1),
            "MB_of_the_key": round(records[0].payload_bytes / 1e6, 2),
            "MB_a_difference": round(median(r.payload_bytes for r in records[1:]) / 1e6, 2),
            "segments": len({record.path for record in records}),
            "append_held_ms": {
                "first": round(1000 * self.held_s[0], 1),
                "longest_of_the_others": round(1000 * max(self.held_s[1:]), 1),
                "median": round(1000 * median(self.held_s[1:]), 1),
            },
            "step_waited_ms": {
                "longest": round(1000 * max(self.waited_s), 1),
                "median": round(1000 * median(self.waited_s), 1),
                "more_than_50": sum(waited > 0.05 for waited in self.waited_s),
            },
            "cpu_s_of_appending": round(self.cpu_s, 1),
            "peak_above_MB": round(above_mb),
            "peak_above_in_weights": round(above_mb / weights_mb, 2),
        }


def seconds_of(call: Callable[[], None]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def train(steps: int, scale: int, batch_size: int) -> dict[str, Any]:
    """Train `skyline`, and keep each checkpoint of the last steps."""
    size = 1024 // scale
    config = TrainingConfig(
        generator="skyline",
        image_size=size,
        batch_size=batch_size,
        learning_rate_g=RATE,
        learning_rate_d=RATE,
    )
    recipe, watch = build_recipe(config, Processes.single("cpu")), Stopwatch()
    shape = (batch_size, 3, size, size)
    reals: Iterator[Tensor] = iter(lambda: torch.rand(shape) * 2 - 1, None)

    def step() -> float:
        return seconds_of(lambda: recipe.step(reals, watch) and None)

    alone = [step() for _ in range(ALONE)]
    report(f"alone: {alone} s a step, {peak_mb()} MB")
    with tempfile.TemporaryDirectory() as folder:
        run = CheckpointIndex(Path(folder)).create("large", config.generator_spec(), "visual")
        return {"alone_s": [round(s, 1) for s in alone], **keep(run, recipe, step, steps)}


def keep(
    run: CheckpointRun, recipe: Recipe, step: Callable[[], float], steps: int
) -> dict[str, Any]:
    training_mb = peak_mb()
    holder, seconds = Holder(run), []
    recipe.before_rendered_changes = holder.wait
    for _ in range(steps):
        holder.append(recipe.batch, recipe.rendered.state_dict())
        report(f"batch {recipe.batch}: append held {holder.held_s[-1]:.4f} s")
        seconds.append(step())
        report(
            f"a step of {seconds[-1]:.1f} s, waited {holder.waited_s[-1]:.4f} s, "
            f"{holder.cpu_s:.1f} s of CPU, {peak_mb()} MB, load {os.getloadavg()[0]:.1f}"
        )
    holder.append(recipe.batch, recipe.rendered.state_dict())
    found = holder.report()
    last, kept = recipe.rendered.state_dict(), run.weights(run.batches[-1])
    run.close()
    calibration = calibration_of(run.spec, ErrorBound())
    difference = calibration.compare(last, kept)
    return {
        "beside_s": [round(s, 1) for s in seconds],
        "peak_of_training_MB": round(training_mb * 1.024),
        **found,
        "last_checkpoint": {"largest": difference.largest, "rms": round(difference.rms, 4)},
    }


def move_at_a_pace() -> dict[str, Any]:
    """Keep weights that move every half a second."""
    torch.manual_seed(0)
    weights = CHEAP.build().state_dict()
    moves = {name: RATE * torch.randn_like(tensor) for name, tensor in weights.items()}
    with tempfile.TemporaryDirectory() as folder:
        run = CheckpointIndex(Path(folder)).create("paced", CHEAP, "visual")
        holder, late = Holder(run), 0
        next_at = time.perf_counter()
        for batch in range(1, PACED + 1):
            time.sleep(max(0.0, next_at - time.perf_counter()))
            holder.wait()
            for name, tensor in weights.items():
                moves[name].neg_() if batch % 7 == 0 else None
                tensor.add_(moves[name])
            holder.append(batch, weights)
            late += time.perf_counter() > next_at + PACE_S
            next_at = max(next_at, time.perf_counter() - PACE_S) + PACE_S
        found = holder.report()
        run.close()
    return {**found, "steps_that_came_late": late}


def measure_in_a_process(part: str, wanted: argparse.Namespace) -> dict[str, Any]:
    """One part, whose peak of memory is its own."""
    options = {"steps": wanted.steps, "scale": wanted.scale, "batch_size": wanted.batch_size}
    command = [sys.executable, "-m", "benchmarks.appending", "--only", part, json.dumps(options)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    found: dict[str, Any] = json.loads(answer)
    return {**found, "load": round(os.getloadavg()[0], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--parts", nargs="+", default=["full", "pace"], choices=["full", "pace"])
    parser.add_argument("--steps", type=int, default=6, help="steps that are kept")
    parser.add_argument("--scale", type=int, default=1, help="divides the picture's size")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--only", nargs=2, metavar=("PART", "OPTIONS"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.only:
        part, options = wanted.only
        print(json.dumps(train(**json.loads(options)) if part == "full" else move_at_a_pace()))
        return
    result = {part: measure_in_a_process(part, wanted) for part in wanted.parts}
    print(json.dumps({"cores": os.cpu_count(), **result}, indent=1))


if __name__ == "__main__":
    main()
