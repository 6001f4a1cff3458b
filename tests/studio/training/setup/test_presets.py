from dataclasses import replace
from itertools import repeat

import pytest
import torch

from studio.actions.action import words_of
from studio.actions.declared.run_actions import Set
from studio.actions.declared.training_actions import Train
from studio.actions.submission import perform
from studio.runs.config import TrainingConfig
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import build_recipe, find_recipe
from studio.training.setup.presets import DEMO, PRESETS
from studio.training.setup.run_request import choose_settings


def completed(config: TrainingConfig) -> TrainingConfig:
    """The settings as they are when a run is made with them."""
    return find_recipe(config.recipe).complete(config)


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


GAN_PRESETS = [name for name, preset in PRESETS.items() if preset.config.recipe == "gan"]


@pytest.mark.parametrize("name", GAN_PRESETS)
def test_every_preset_can_be_trained(name):
    config = small(PRESETS[name].config)
    recipe = build_recipe(config, Processes.single(torch.device("cpu")))
    metrics = recipe.step(repeat(torch.zeros(4, 3, 32, 32)), Stopwatch())
    assert all(torch.as_tensor(metric).isfinite() for metric in metrics.values())
    assert recipe.rendered(torch.randn(1, config.z_dim)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds_the_networks_that_it_names_at_their_full_size(name):
    config = completed(PRESETS[name].config)
    with torch.device("meta"):
        z = torch.empty(2, config.z_dim)
        pictures = config.generator_spec().build()(z)
    assert pictures.shape == (2, 3, config.image_size, config.image_size)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_fits_datasets_of_other_picture_sizes(name):
    config = PRESETS[name].config
    with torch.device("meta"):
        for image_size in (32, 1024):
            completed(replace(config, image_size=image_size)).generator_spec().build()


def test_a_preset_is_described_in_one_line_that_fits_a_screen():
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert 20 < len(preset.description) <= 90
        assert preset.description.endswith(".")


def test_the_demo_leaves_a_film_of_500_batches_or_more():
    assert DEMO.batches >= 500


@pytest.mark.parametrize("way", ["words", "table", "toml"])
def test_settings_have_one_grammar_on_the_command_line_in_python_and_in_files(
    workspace, tmp_path, way
):
    words = ["learning_rate=1e-5", "generator_options.width=0.25", "generator_options.z_dim=9"]
    request = {
        "words": lambda: {"settings": words},
        "table": lambda: {
            "settings": {"learning_rate": 1e-5, "generator_options": {"width": 0.25, "z_dim": 9}}
        },
        "toml": lambda: {"config": tmp_path / "own.toml"},
    }[way]()
    table = "learning_rate = 1e-5\n[generator_options]\nwidth = 0.25\nz_dim = 9\n"
    (tmp_path / "own.toml").write_text(table)
    train = Train.read({"dataset": "streets", "run": "new", "batch_size": 4, **request})
    config = choose_settings(workspace, train.request)
    assert (config.learning_rate_g, config.learning_rate_d, config.z_dim) == (1e-5, 1e-5, 9)
    assert config.generator_options["width"] == 0.25
    assert Train.read(train.model_dump(mode="json")) == train


@pytest.mark.parametrize("settings", [["learning_rate=1e-5"], {"learning_rate": 1e-5}])
def test_a_run_is_set_by_words_and_by_a_table_alike(workspace, settings):
    action = Set.read({"run": "city", "settings": settings})
    assert words_of(action) == ["set", "city", "learning_rate=1e-05"]
    assert len(perform(workspace, action).lines) == 2
