import numpy as np
import pytest
import torch

from checkpoints_index import CheckpointIndex
from studio.runs.config import TrainingConfig


@pytest.fixture(autouse=True)
def one_thread():
    """Networks of a few channels train several times faster on one thread than on many."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def config() -> TrainingConfig:
    """The smallest run: 32 px, a few channels, everything that draws random numbers turned on."""
    return TrainingConfig(
        z_dim=8,
        image_size=32,
        generator_options={"width": 0.03},
        discriminator_width=0.03,
        batch_size=4,
        batches=6,
        augmentation="color,translation,cutout",
        blur_sigma_px=2.0,
        blur_fade_batches=5,
        preview_every=2,
        state_every=3,
        fixed_points=2,
    )


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(10, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def new_checkpoints(tmp_path, config):
    """Makes an empty run in an index, by name."""
    index = CheckpointIndex(tmp_path / "runs")
    made = []

    def create(name, config=config):
        made.append(index.create(name, config.generator_spec(), storage="exact"))
        return made[-1]

    yield create
    for run in made:
        run.close()
