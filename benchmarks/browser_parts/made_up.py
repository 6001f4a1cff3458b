"""Workspaces that are large and quickly made: by the records of the studio, without training."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import studio
from checkpoints_index import CheckpointIndex, GeneratorSpec
from latent.points import sample_points
from studio.runs.metrics import MetricsLog, read_metrics
from studio.specimens.marking import mark_specimens
from studio.specimens.points import SAMPLED, insert_points
from studio.workspace.database import open_database
from studio.workspace.jobs import insert_job, record_result, update_job
from studio.workspace.paths import Workspace

STEP = 2e-4  # How far a weight goes from one checkpoint to the next, as Adam would have it.
FIRST = 3  # So many batches of the large run are really trained.
TINY: dict[str, Any] = {
    "preset": "none",
    "batch_size": 4,
    "settings": {"generator_options": {"width": 0.125}, "discriminator_width": 0.125},
}


def walk_weights(workspace: Workspace, run: str, count: int) -> None:
    """Append checkpoints to a run until it has so many: random steps from its last one."""
    torch.manual_seed(0)
    with CheckpointIndex(workspace.runs)[run] as checkpoints:
        last = checkpoints.batches[-1]
        weights = {name: w.clone() for name, w in checkpoints.weights(last).items()}
        for batch in range(last + 1, count + 1):
            for tensor in weights.values():
                if tensor.is_floating_point():
                    tensor.add_(torch.randn_like(tensor).sign_(), alpha=STEP)
            checkpoints.append(batch, weights)
        checkpoints.flush()


def begin_walk(workspace: Workspace, run: str, size: int, storage: str) -> None:
    """A run of a DCGAN that nobody has trained, at batch 1."""
    spec = GeneratorSpec("dcgan", {"z_dim": 100, "image_size": size})
    torch.manual_seed(0)
    with CheckpointIndex(workspace.runs).create(run, spec, storage=storage) as checkpoints:
        checkpoints.append(1, spec.build().state_dict())


def prepare_noise(workspace: Workspace) -> None:
    """The dataset `noise`, of 24 pictures of 64 pixels."""
    pictures = workspace.root / "pictures"
    pictures.mkdir(parents=True)
    stream = np.random.default_rng(0)
    for number in range(24):
        pixels = stream.integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(pictures / f"{number}.png")
    studio.open(workspace.root).datasets_add(folder=pictures, name="noise", image_size=64)


def make_long_run(workspace: Workspace, run: str, count: int) -> None:
    """A run that was trained for a few batches, and has as many checkpoints and numbers as wanted.

    Its networks are an eighth as wide as a usual DCGAN-64.
    """
    prepare_noise(workspace)
    stream = np.random.default_rng(0)
    studio.open(workspace.root).train(dataset="noise", run=run, batches=FIRST, **TINY)
    walk_weights(workspace, run, count)
    numbers = read_metrics(workspace.metrics(run))[-1]
    log = MetricsLog(workspace.metrics(run))
    for batch in range(FIRST + 1, count + 1):
        drawn = {
            n: v + 0.1 * stream.normal() if isinstance(v, float) else v for n, v in numbers.items()
        }
        log.append(batch, {n: v for n, v in drawn.items() if n not in ("batch", "xxh3")})
    log.close()


def add_specimens(workspace: Workspace, run: str, batches: tuple[int, ...], count: int) -> None:
    """So many specimens, spread over some batches of a run, some of which are marked."""
    each = -(-count // len(batches))
    z_dim = CheckpointIndex(workspace.runs)[run].spec.z_dim
    with open_database(workspace.database, writing=True) as db:
        for number, batch in enumerate(batches):
            some = sample_points(batch, range(min(each, count - number * each)), z_dim)
            insert_points(db, run, some, SAMPLED)
            _spread_in_time(db, run, batch)
    mark_specimens(workspace, run, [f"{batches[-1]}.{i}" for i in range(60)], tags=["river"])
    mark_specimens(workspace, run, [f"{batches[-2]}.{i}" for i in range(40)], rating=4)


def _spread_in_time(db: sqlite3.Connection, run: str, batch: int) -> None:
    """Let specimens of a batch be kept minute by minute."""
    db.execute(
        "UPDATE specimens SET created_at = created_at - 1e6 + 60 * number + batch "
        "WHERE run = ? AND batch = ?",
        (run, batch),
    )


def add_films(workspace: Workspace, run: str, count: int) -> None:
    """One real film of a run, and copies of it under other names, each on record as a job."""
    made = studio.open(workspace.root).render_timelapse(
        run=run, batches=f"1:{FIRST + 1}", films="grid"
    )
    (film,) = [Path(video.path) for video in made.videos]
    digits = random.Random(0)
    for _ in range(count - 1):
        name = f"{run}-timelapse-{digits.getrandbits(24):06x}"
        shutil.copytree(film.parent, workspace.render(name), copy_function=os.link)
        fields = {"run": run, "films": "grid", "batches": f"1:{FIRST + 1}"}
        words = ["render", "timelapse", run, "--grid"]
        job = insert_job(workspace, "render timelapse", fields, words, run)
        video = {"path": str(workspace.render(name) / film.name), "label": "grid", "frames": FIRST}
        update_job(workspace, job, status="done", finished_at=1e9 + job)
        record_result(workspace, job, {"videos": [video], "seconds": 1.0})
