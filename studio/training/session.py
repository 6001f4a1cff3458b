"""One sitting of a run: from what is on disk, training on, to what is on disk."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.files import create_whole
from checkpoints_index.promise import Promise
from latent.errors import UserError
from latent.points import sample_points
from renderers.pictures import save_picture
from renderers.sheets import arrange_grid, enlarge
from studio.datasets.listing import open_dataset
from studio.devices import choose_device
from studio.events import record_event
from studio.memory import keep_freed_memory
from studio.metrics import MetricsLog
from studio.pins import forget_pins
from studio.points import FIXED, forget_points, keep_points, points_of
from studio.progress import OnProgress
from studio.training.config import TrainingConfig
from studio.training.engine import train
from studio.workspace import Workspace

PREVIEW_HEIGHT_PX = 160


def create_run(workspace: Workspace, name: str, config: TrainingConfig, storage: str) -> None:
    """Make a run: its configuration, its place in the index, and its fixed latent points.

    Raises:
        UserError: the run exists, the dataset does not, their sizes differ, or a quality is asked
            of exact storage.
    """
    check_quality(config, storage)
    dataset = open_dataset(workspace, config.dataset)
    if dataset.manifest.image_size != config.image_size:
        raise UserError(
            f"Dataset '{config.dataset}' has pictures of {dataset.manifest.image_size} pixels, the "
            f"run wants image_size {config.image_size}. Prepare the dataset at that size."
        )
    index = CheckpointIndex(workspace.runs)
    folder = workspace.run(name)
    if name in index:
        raise UserError(f"Run '{name}' exists already. Go on with it: studio resume {name}")
    config.generator_spec().build()
    folder.mkdir(parents=True, exist_ok=True)
    create_whole(workspace.run_config(name), config.to_toml().encode())
    points = sample_points(0, range(config.fixed_points), config.z_dim)
    forget_points(workspace, name)
    forget_pins(workspace, name)
    keep_points(workspace, name, points, origin=FIXED)
    promise = Promise.of_quality(config.quality)
    index.create(name, config.generator_spec(), storage, promise).close()


def check_quality(config: TrainingConfig, storage: str) -> None:
    """Refuse a quality that would change nothing."""
    if storage == "exact" and config.quality != TrainingConfig.quality:
        raise UserError(
            f"A quality of {config.quality:g} goes with visual storage alone: exact keeps every "
            "bit. Leave --quality out, or --storage exact."
        )


def extend_run(workspace: Workspace, name: str, batches: int) -> None:
    """Let a run go on to a later batch, and remember it."""
    config = read_config(workspace, name)
    if batches != config.batches:
        changed = dataclasses.replace(config, batches=batches)
        create_whole(workspace.run_config(name), changed.to_toml().encode())
        text = f"batches: {config.batches:,} -> {batches:,}"
        record_event(workspace, name, None, "changed", text)


def read_config(workspace: Workspace, name: str) -> TrainingConfig:
    """How a run is trained; UserError where it was not trained here."""
    if not workspace.run_config(name).exists():
        raise UserError(
            f"Run '{name}' has no run.toml, so it cannot be trained on. Start one: studio train"
        )
    return TrainingConfig.read(workspace.run_config(name))


def train_run(
    workspace: Workspace, name: str, on_progress: OnProgress, should_stop: Callable[[], bool]
) -> tuple[str, int]:
    """Train a run until its last batch, or until asked to stop, and go on from where it was.

    Returns:
        ("finished" or "stopped", the last batch trained).

    Raises:
        UserError: unknown run, missing dataset, diverged training, full disk, a second writer.
    """
    keep_freed_memory()
    config = read_config(workspace, name)
    dataset = open_dataset(workspace, config.dataset)
    fixed_z = torch.stack([point.z for point in points_of(workspace, name, origin=FIXED)])
    pace = _Pace(config.batches, on_progress)

    with CheckpointIndex(workspace.runs)[name] as checkpoints:
        metrics = MetricsLog(workspace.metrics(name))
        before = checkpoints.last_batch
        text = "training began" if before is None else f"resumed, with checkpoints to {before:,}"
        record_event(workspace, name, before, "started" if before is None else "resumed", text)

        def observe(batch: int, numbers: dict[str, float]) -> None:
            metrics.append(batch, {**numbers, "seconds": pace.tick(batch, numbers)})

        try:
            last = train(
                config,
                dataset.pixels,
                checkpoints,
                workspace.run(name),
                fixed_z,
                until_batch=config.batches,
                device=choose_device(),
                observe=observe,
                on_frames=lambda batch, frames: _save_preview(workspace, name, frames),
                should_stop=should_stop,
            )
        except UserError as error:
            record_event(workspace, name, checkpoints.last_batch, "failed", str(error))
            raise
        finally:
            metrics.close()
    status = "finished" if last >= config.batches else "stopped"
    record_event(workspace, name, last, status, f"{status} at batch {last:,}")
    return status, last


class _Pace:
    """Seconds from batch to batch, told to whoever watches."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._total, self._on_progress = total, on_progress
        self._before = time.monotonic()

    def tick(self, batch: int, numbers: dict[str, float]) -> float:
        now = time.monotonic()
        seconds, self._before = now - self._before, now
        note = "  ".join(f"{name} {value:.2f}" for name, value in numbers.items())
        self._on_progress(batch, self._total, note)
        return round(seconds, 4)


def _save_preview(workspace: Workspace, name: str, frames: np.ndarray) -> None:
    scale = max(1, PREVIEW_HEIGHT_PX // frames.shape[1])
    save_picture(arrange_grid(enlarge(frames, scale), gap_px=4), workspace.preview(name))
