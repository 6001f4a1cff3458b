"""Trains the recipe for some batches, in as many processes as are started.

python sharing.py PIXELS.npy METRICS.json

The networks have no batch norm. The step has what makes sharing hard: a penalty that goes through
D's backward pass twice, pairs of real and generated pictures, and random augmentation. The
learning rate is known to the main process alone.
"""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

from studio.runs.config import TrainingConfig
from studio.training.data.batches import Batches
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import build_recipe

STEPS = 4
CONFIG = TrainingConfig(
    z_dim=8,
    image_size=32,
    generator="residual",
    generator_options={"width": 0.05},
    discriminator="residual",
    discriminator_width=0.05,
    discriminator_norm="none",
    loss="relativistic",
    augmentation="color,translation,cutout",
    batch_size=8,
)


def train(pixels: np.ndarray, processes: Processes) -> list[dict[str, float]]:
    """The metrics of each batch."""
    rate = processes.agree(1e-3 if processes.is_main else 0.0)
    config = dataclasses.replace(CONFIG, learning_rate_g=rate, learning_rate_d=rate)
    recipe, watch = build_recipe(config, processes), Stopwatch()
    batches = Batches(pixels, 32, config.batch_size, 0, True, processes.device, processes)
    steps = [recipe.step(batches, watch) for _ in range(STEPS)]
    batches.close()
    return [{name: value.item() for name, value in metrics.items()} for metrics in steps]


def main() -> None:
    processes = Processes.join()
    metrics = train(np.load(sys.argv[1], mmap_mode="r"), processes)
    if processes.is_main:
        Path(sys.argv[2]).write_text(json.dumps(metrics))
    processes.leave()
    print(f"process {processes.rank} of {processes.count} is done")


if __name__ == "__main__":
    main()
