"""A run as long as real ones: every checkpoint of a small generator, written and read back.

Trains a 32-pixel generator of 9 k parameters for as many batches as wanted, keeps each as it
comes, and prints one JSON document: bytes, what keeping cost the training step, how long opening,
random access, reading in order and verifying take, and that memory stays flat.

    python -m benchmarks.long_run [--checkpoints 20000] [--storage visual] [--folder DIR]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.store import Training, peak_mb, report
from checkpoints_index import CheckpointIndex, GeneratorSpec

SPEC = GeneratorSpec("dcgan", {"z_dim": 32, "image_size": 32, "width": 0.0625})
LOOKS = 200  # checkpoints that are read at random


def write(index: CheckpointIndex, storage: str, checkpoints: int) -> dict[str, Any]:
    """Train, keep every batch, and count."""
    training = Training(2e-4, SPEC, width=4, batch_size=4)
    run = index.create("long", SPEC, storage)
    seconds, in_append = [], []
    for _ in range(checkpoints):
        began = time.perf_counter()
        training.step()
        stepped = time.perf_counter()
        run.append(training.batch, training.G.state_dict())
        in_append.append(time.perf_counter() - stepped)
        seconds.append(time.perf_counter() - began)
        if training.batch % 1000 == 0:
            report(f"batch {training.batch}: {1000 * median(seconds[-1000:]):.1f} ms a step")
        if training.batch == checkpoints // 2:
            run.flush()
            memory_half = peak_mb()
    run.close()
    return {
        "parameters": sum(p.numel() for p in training.G.parameters()),
        "step_ms_median": round(1000 * median(seconds), 2),
        "append_ms_median": round(1000 * median(in_append), 2),
        "peak_memory_mb_at_half": memory_half,
        "peak_memory_mb": peak_mb(),
    }


def read(index: CheckpointIndex) -> dict[str, Any]:
    """Open the run as a newcomer would, and walk all over it."""
    began = time.perf_counter()
    run = index["long"]
    batches = run.batches
    opened_s = time.perf_counter() - began
    run.weights(batches[0])  # what is compiled and imported once is not reading
    choose, waits = random.Random(0), []
    for batch in choose.sample(batches, min(LOOKS, len(batches))):
        again = time.perf_counter()
        run.weights(batch)
        waits.append(time.perf_counter() - again)
    began, position = time.perf_counter(), 0
    for position, _ in enumerate(run.stream(), 1):
        if position == len(batches) // 2:
            memory_half = peak_mb()
    in_order_s = time.perf_counter() - began
    memory = peak_mb()
    began = time.perf_counter()
    damaged = sum(found.reason is not None for found in run.verify(deep=True))
    plain_bytes = sum(tensor.nbytes for tensor in run.weights(batches[0]).values())
    return {
        "checkpoints": len(batches),
        "size_mb": round(run.size_bytes / 1e6, 1),
        "bytes_per_checkpoint": round(run.size_bytes / len(batches)),
        "plain_bytes_per_checkpoint": plain_bytes,
        "open_s": round(opened_s, 3),
        "random_access_ms_mean": round(1000 * float(np.mean(waits)), 2),
        "in_order_per_s": round(position / in_order_s),
        "peak_memory_mb_at_half": memory_half,
        "peak_memory_mb": memory,
        "verify_deep_s": round(time.perf_counter() - began, 1),
        "damaged": damaged,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--checkpoints", type=int, default=20_000)
    parser.add_argument("--storage", default="visual", choices=("visual", "exact"))
    parser.add_argument(
        "--folder", type=Path, help="keep the run here; only read one that is there"
    )
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        index = CheckpointIndex(wanted.folder or Path(scratch))
        written = None
        if "long" not in index:
            written = write(index, wanted.storage, wanted.checkpoints)
        print(json.dumps({"writing": written, "reading": read(index)}, indent=1))


if __name__ == "__main__":
    main()
