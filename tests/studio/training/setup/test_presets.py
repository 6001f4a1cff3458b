from dataclasses import replace
from itertools import repeat

import pytest
import torch

from studio.runs.config import TrainingConfig
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import build_recipe
from studio.training.setup.presets import DEMO, PRESETS


def small(config: TrainingConfig) -> TrainingConfig:
    """The same settings, in networks that a test can train: 32 px, a few channels, float32."""
    return replace(
        config,
        image_size=32,
        generator_options={**config.generator_options, "width": 0.05},
        discriminator_width=0.05,
        batch_size=4,
        precision="float32",
        compile=False,
    )


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_trained(name):
    config = small(PRESETS[name].config)
    recipe = build_recipe(config, Processes.single(torch.device("cpu")))
    metrics = recipe.step(repeat(torch.zeros(4, 3, 32, 32)), Stopwatch())
    assert all(torch.as_tensor(metric).isfinite() for metric in metrics.values())
    assert recipe.rendered(torch.randn(1, config.z_dim)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds_the_networks_that_it_names_at_their_full_size(name):
    config = PRESETS[name].config
    with torch.device("meta"):
        z = torch.empty(2, config.z_dim)
        pictures = config.generator_spec().build()(z)
    assert pictures.shape == (2, 3, config.image_size, config.image_size)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_fits_datasets_of_other_picture_sizes(name):
    config = PRESETS[name].config
    with torch.device("meta"):
        for image_size in (32, 1024):
            replace(config, image_size=image_size).generator_spec().build()


def test_a_preset_is_described_in_one_line_that_fits_a_screen():
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert 20 < len(preset.description) <= 90
        assert preset.description.endswith(".")


def test_the_demo_leaves_a_film_of_500_batches_or_more():
    assert DEMO.batches >= 500
