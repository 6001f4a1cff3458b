"""Small real training runs, and what is seen of them."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from renderers.frames.frame_renderer import render_frames
from studio.runs.config import TrainingConfig
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.monitor.alarms import Alarms
from studio.training.monitor.observations import Observer
from studio.training.recipes import build_recipe


class Session:
    """Trains the recipe on streets that cross anywhere, and checks each batch."""

    def __init__(self, config: TrainingConfig):
        self.recipe = build_recipe(config, Processes.single(torch.device("cpu")))
        self.reals = draw_streets(config)
        self.z = torch.randn(
            config.fixed_points, config.z_dim, generator=torch.Generator().manual_seed(1)
        )
        self.alarms, self.observer = Alarms(config), Observer()
        self.seen = []

    def train(self, batches):
        """The names of the alarms that sounded so far."""
        for _ in range(batches):
            metrics = self.recipe.step(self.reals, Stopwatch())
            self.check({name: float(value) for name, value in metrics.items()})
        return [alarm.name for alarm in self.seen]

    def configure(self, **changed):
        self.recipe.configure(dataclasses.replace(self.recipe.config, **changed))

    def check(self, numbers):
        observation = self.observer.observe(render_frames(self.recipe.rendered, self.z))
        numbers |= {"change": observation.change, "diversity": observation.diversity}
        self.seen += self.alarms.check(self.recipe.batch, numbers, observation.small)


def draw_streets(config) -> Iterator[torch.Tensor]:
    rng = np.random.default_rng(config.seed)
    while True:
        pictures = np.empty((config.batch_size, 3, 32, 32), np.float32)
        for picture in pictures:
            picture[:] = rng.uniform(-0.8, 0.4, (3, 1, 1))
            row, column = rng.integers(2, 28, 2)
            picture[:, row : row + 3] = picture[:, :, column : column + 3] = 0.9
        yield torch.from_numpy(pictures)


@pytest.fixture(scope="session")
def small() -> TrainingConfig:
    """A GAN of 32 px that learns in seconds."""
    return TrainingConfig(
        z_dim=16,
        image_size=32,
        generator_options={"width": 0.0625},
        discriminator_width=0.0625,
        batch_size=8,
        fixed_points=4,
        learning_rate_g=1e-3,
        learning_rate_d=5e-4,
        ema=0.9,
        progress_batches=100,
    )


@pytest.fixture
def begin(small):
    """begin(learning_rate_g=0): a session with some settings changed."""
    return lambda **changed: Session(dataclasses.replace(small, **changed))
