"""What the store survives: killed writers, flipped bytes, a file system that fills up.

Prints one JSON document of counts; every `wrong` and every `lost` has to be 0.

    python -m benchmarks.bad_days [--kills 200] [--flips 2000] [--file-system-mb 64]

The small file system is a tmpfs, which only root may mount.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from checkpoints_index import CheckpointIndex, CheckpointRun, GeneratorSpec
from checkpoints_index.errors import DamagedCheckpointError, DiskFullError

SPEC = GeneratorSpec("dcgan", {"z_dim": 32, "image_size": 32, "width": 0.25})
STORAGES = ("exact", "visual")
FLUSH_EVERY = 7


def weights_at(batch: int) -> dict[str, Tensor]:
    """The weights of a batch, which anybody can compute again: a walk with a period."""
    torch.manual_seed(0)
    phase = torch.tensor(batch * 0.01).sin()
    return {
        name: (
            tensor + 0.002 * phase * torch.randn(tensor.shape)
            if tensor.is_floating_point()
            else tensor + batch
        )
        for name, tensor in SPEC.build().state_dict().items()
    }


def is_right(run: CheckpointRun, batch: int, weights: dict[str, Tensor]) -> bool:
    """Whether weights are those of a batch: to the bit, or within half a step each."""
    if run.storage == "exact":
        return all(torch.equal(weights[n], t) for n, t in weights_at(batch).items())
    return all(
        torch.equal(weights[n], t)
        if t.ndim < 2
        else bool((weights[n] - t).abs().max() < 0.2 * t.abs().max())
        for n, t in weights_at(batch).items()
    )


def kill_writers(kills: int) -> dict[str, Any]:
    """Kill writers at random moments, each going on with the run that the last one left."""
    choose, outcome = random.Random(0), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        index = CheckpointIndex(folder)
        for storage in STORAGES:
            index.create(storage, SPEC, storage).close()
            warm_up(index, storage)
        for kill in range(kills):
            storage = STORAGES[kill % 2]
            acknowledged = append_until_killed(index, storage, choose.uniform(0.0, 1.0))
            run = index[storage]
            batches = run.batches
            outcome["killed"] += 1
            outcome["acknowledged"] += len(acknowledged)
            outcome["lost"] += len(set(acknowledged) - set(batches))
            outcome["gaps"] += batches != list(range(1, len(batches) + 1))
            for batch in batches[-20:]:
                outcome["read"] += 1
                outcome["wrong"] += not is_right(run, batch, run.weights(batch))
        for storage in STORAGES:
            findings = [found for found in index[storage].verify(deep=True) if found.reason]
            outcome["damaged_at_the_end"] += len(findings)
            outcome["checkpoints"] += len(index[storage].batches)
    return dict(outcome)


def warm_up(index: CheckpointIndex, storage: str) -> None:
    """Load here, once, what every child would have to load."""
    with index.create(f"warm-{storage}", SPEC, storage) as run:
        for batch in range(3):
            run.append(batch, weights_at(batch))
        run.weights(2)


def append_until_killed(index: CheckpointIndex, name: str, seconds: float) -> list[int]:
    """Append in a child of this process, kill it, and say which batches it called safe."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        run = index[name]
        for batch in count((run.last_batch or 0) + 1):
            run.append(batch, weights_at(batch))
            if batch % FLUSH_EVERY == 0:
                run.flush()
                os.write(writing, f"{batch}\n".encode())
    os.close(writing)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as lines:
        return [int(line) for line in lines]


def flip_bytes(flips: int) -> dict[str, Any]:
    """Flip one bit at a time, anywhere in the files, and read what may depend on it."""
    choose, outcome = random.Random(1), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        index = CheckpointIndex(folder)
        for storage in STORAGES:
            with index.create(storage, SPEC, storage) as run:
                for batch in range(1, 151):
                    run.append(batch, weights_at(batch))
        for flip in range(flips):
            run = index[STORAGES[flip % 2]]
            path = choose.choice(sorted(run.folder.glob("*.segment")))
            position, bit = choose.randrange(path.stat().st_size), 1 << choose.randrange(8)
            flip_bit(path, position, bit)
            damaged = index[run.name]
            known = set(damaged.batches)
            refused, wrong = 0, 0
            for batch in choose.sample(range(1, 151), 12):
                if batch not in known:
                    refused += 1
                    continue
                try:
                    wrong += not is_right(damaged, batch, damaged.weights(batch))
                except DamagedCheckpointError:
                    refused += 1
            found = any(finding.reason for finding in damaged.verify())
            outcome["flipped"] += 1
            outcome["found_by_verify"] += found
            outcome["costing_a_checkpoint_that_was_read"] += refused > 0
            outcome["unnoticed_though_refused"] += refused > 0 and not found
            outcome["wrong"] += wrong
            flip_bit(path, position, bit)
    return dict(outcome)


def flip_bit(path: Path, position: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ bit]))


def fill_file_system(size_mb: int) -> dict[str, Any]:
    """Append until a small file system is full; make room; go on."""
    outcome = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", folder]
        if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
            return {"skipped": "this user may not mount a file system"}
        try:
            ballast = Path(folder) / "ballast"
            ballast.write_bytes(bytes(8 << 20))
            run = CheckpointIndex(folder).create("city", SPEC, "exact")
            acknowledged, refused = append_until_full(run)
            outcome["acknowledged_when_full"] = len(acknowledged)
            outcome["lost"] += len(set(acknowledged) - set(CheckpointIndex(folder)["city"].batches))
            ballast.unlink()
            for batch in range(refused, refused + 20):
                run.append(batch, weights_at(batch))
            run.close()
            again = CheckpointIndex(folder)["city"]
            outcome["lost"] += again.batches != list(range(1, refused + 20))
            outcome["checkpoints"] = len(again.batches)
            outcome["wrong"] = sum(
                not is_right(again, batch, again.weights(batch)) for batch in again.batches
            )
        finally:
            subprocess.run(["umount", folder], check=True)
    return dict(outcome)


def append_until_full(run: CheckpointRun) -> tuple[list[int], int]:
    """The batches that were flushed, and the first one that was refused."""
    acknowledged: list[int] = []
    for batch in count(1):
        try:
            run.append(batch, weights_at(batch))
        except DiskFullError as full:
            print(full, file=sys.stderr)
            return acknowledged, batch
        if batch % FLUSH_EVERY == 0:
            try:
                run.flush()
            except DiskFullError as full:
                print(full, file=sys.stderr)
                return acknowledged, batch + 1
            acknowledged = list(range(1, batch + 1))
    raise AssertionError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--file-system-mb", type=int, default=64)
    wanted = parser.parse_args()
    torch.set_num_threads(1)  # children are forked, which pools of threads do not survive
    result = {"kills": kill_writers(wanted.kills)}
    print(result, file=sys.stderr)
    result["flips"] = flip_bytes(wanted.flips)
    print(result["flips"], file=sys.stderr)
    result["full_file_system"] = fill_file_system(wanted.file_system_mb)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
