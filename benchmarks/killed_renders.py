"""Renders that are killed at random moments, parent and workers, until so many kills have happened.

Each film is begun again after a kill until it is finished; then its frames must be those of an
undisturbed one, and nothing but the videos and their record may be left. No part that was whole
when something was killed may have been written again. Prints one JSON document.

    python -m benchmarks.killed_renders [--kills 50] [--seed 0]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.store import report
from checkpoints_index import CheckpointIndex, GeneratorSpec
from latent.points import seeded_point
from renderers.jobs.rendering import render_film
from renderers.jobs.workers import render_parts
from renderers.plan.options import RenderOptions
from renderers.plan.render_plan import make_plan
from renderers.video.video_reader import read_frames

SPEC = GeneratorSpec("dcgan", {"z_dim": 16, "image_size": 32, "width": 0.25})
CHECKPOINTS, POINTS = 600, 3
OPTIONS = RenderOptions(grid=True, part_frames=25)
LONGEST_S = 14.0  # from the start of a process to its end by force
LEFT = {".lock", "plan.json", "videos.json"}  # in the folder of a finished render


def keep_checkpoints(root: Path) -> None:
    """A run of real optimiser steps."""
    torch.manual_seed(0)
    G, target = SPEC.build().train(), torch.rand(8, 3, 32, 32) * 2 - 1
    z, optimizer = torch.randn(8, 16), torch.optim.Adam(G.parameters(), 2e-4)
    with CheckpointIndex(root).create("city", SPEC, "visual") as run:
        for batch in range(1, CHECKPOINTS + 1):
            optimizer.zero_grad()
            (G(z) - target).square().mean().backward()
            optimizer.step()
            run.append(batch, G.state_dict())


def film(root: Path, place: Path) -> None:
    """What is killed: a film on two devices."""
    run = CheckpointIndex(root)["city"]
    points = [seeded_point(seed, SPEC.z_dim) for seed in range(POINTS)]
    plan = make_plan(points, run.batches, OPTIONS, weights=run.digests(run.batches))
    engine = partial(render_parts, devices=["cpu", "cpu"])
    render_film(run, plan, place / "render", place / "film.mp4", engine)


def start(root: Path, place: Path) -> subprocess.Popen:
    words = [sys.executable, "-m", "benchmarks.killed_renders", "--film", str(root), str(place)]
    return subprocess.Popen(words, start_new_session=True)


def kill_something(process: subprocess.Popen, choose: random.Random) -> str:
    """SIGKILL the parent, or one of its workers."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [pid for pid in map(int, children) if "spawn_main" in command_of(pid)]
    if workers and choose.random() < 0.5:
        os.kill(choose.choice(workers), signal.SIGKILL)
        return "worker"
    process.kill()
    return "parent"


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""  # it has just ended


def whole_parts(place: Path) -> dict[str, tuple[int, int]]:
    """What tells each whole part's marker from one that was written again."""
    markers = {}
    for marker in (place / "render" / "parts").glob("[!.]*.json"):
        try:
            state = marker.stat()
        except FileNotFoundError:
            continue  # the film has just been finished
        markers[marker.name] = state.st_ino, state.st_mtime_ns
    return markers


def digest_frames(place: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(place.glob("*.mp4")):
        for frame in read_frames(path):
            digest.update(frame.tobytes())
    return digest.hexdigest()


def film_despite_kills(
    root: Path, place: Path, choose: random.Random, kills: int
) -> dict[str, int]:
    """One film, and how often something was killed before it was finished."""
    seen = {"parent": 0, "worker": 0, "rendered_again": 0}
    process, whole = start(root, place), dict[str, tuple[int, int]]()
    while True:
        try:
            process.wait(choose.uniform(1.0, LONGEST_S))
        except subprocess.TimeoutExpired:
            if seen["parent"] + seen["worker"] < kills:
                now = whole_parts(place)
                seen["rendered_again"] += sum(now.get(n, mark) != mark for n, mark in whole.items())
                whole |= now
                seen[kill_something(process, choose)] += 1
            continue
        if process.returncode == 0:
            return seen
        process = start(root, place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--film", nargs=2, type=Path, metavar=("RUNS", "DIR"))
    wanted = parser.parse_args()
    if wanted.film:
        film(*wanted.film)
        return
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(kill_renders(Path(scratch), wanted.kills, random.Random(wanted.seed))))


def kill_renders(scratch: Path, kills: int, choose: random.Random) -> dict[str, Any]:
    root = scratch / "runs"
    keep_checkpoints(root)
    undisturbed = scratch / "undisturbed"
    film(root, undisturbed)
    expected, began = digest_frames(undisturbed), time.monotonic()
    total = {"parent": 0, "worker": 0, "rendered_again": 0, "films": 0, "wrong": 0, "left": 0}
    while (done := total["parent"] + total["worker"]) < kills:
        place = scratch / f"film-{total['films']}"
        for name, count in film_despite_kills(root, place, choose, kills - done).items():
            total[name] += count
        total["films"] += 1
        total["wrong"] += digest_frames(place) != expected
        left = {path.name for path in (place / "render").iterdir()} - LEFT
        total["left"] += len(left) + sum(1 for _ in place.glob(".*"))
        report(f"{total}, {time.monotonic() - began:.0f} s")
    return {"frames_a_film": CHECKPOINTS * (POINTS + 1), **total}


if __name__ == "__main__":
    main()
