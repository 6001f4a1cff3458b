import dataclasses

import pytest

from studio.datasets.prepared import PreparedDataset
from studio.runs.config import TrainingConfig
from studio.training.setup import preset_choice, time_estimate
from studio.training.setup.preset_choice import choose_preset
from studio.training.setup.presets import PRESETS
from studio.training.setup.run_request import RunRequest, choose_settings, explain_choice
from studio.training.setup.time_estimate import estimate_training_s

HOUR_S = 3600


@pytest.fixture
def prepared(workspace, monkeypatch):
    """prepared(pictures, image_size): the dataset says that it has so many of that size."""
    opened = PreparedDataset.open(workspace.dataset("streets"))

    def call(pictures, image_size, device="cpu", cores=2):
        manifest = dataclasses.replace(opened.manifest, pictures=pictures, image_size=image_size)
        said = dataclasses.replace(opened, manifest=manifest)
        monkeypatch.setattr(preset_choice, "open_dataset", lambda *_: said)
        monkeypatch.setattr(preset_choice, "require_device", lambda _: [device])
        monkeypatch.setattr(time_estimate.os, "cpu_count", lambda: cores)
        return choose_preset(workspace, "streets", device)

    return call


@pytest.mark.parametrize(
    ("pictures", "image_size", "device", "cores", "preset"),
    [
        (4096, 64, "cpu", 2, "half-an-hour"),
        (500, 64, "cpu", 2, "small-and-quick"),
        (4096, 256, "cpu", 2, "small-and-quick"),
        (4096, 128, "cpu", 1, "small-and-quick"),
        (500, 256, "cuda:0", 2, "few-pictures"),
        (50_000, 64, "cuda:0", 2, "half-an-hour"),
        (50_000, 256, "cuda:1", 2, "big-and-patient"),
    ],
)
def test_the_preset_is_chosen_by_device_pictures_and_size(
    prepared, pictures, image_size, device, cores, preset
):
    assert prepared(pictures, image_size, device, cores) == preset


def steps_of_enlarging(pairs, **options):
    """A batch of `upscale`."""
    tiny = PRESETS["upscale-tiny"].config
    options = {**tiny.generator_options, **options}
    return dataclasses.replace(tiny, batches=1, batch_size=pairs, generator_options=options)


@pytest.mark.parametrize(
    ("config", "least_s", "most_s"),
    [
        (PRESETS["small-and-quick"].config, 120, 360),
        (PRESETS["half-an-hour"].config, 1200, 3000),
        (TrainingConfig(), 7 * HOUR_S, 13 * HOUR_S),
        (PRESETS["upscale-tiny"].config, 360, 720),  # 486 s of two cores, without films.
        (steps_of_enlarging(8, kernel=7), 0.09, 0.19),  # 0.130 s
        (steps_of_enlarging(8, kernel=13), 0.13, 0.29),  # 0.196 s
        (steps_of_enlarging(4, kernel=7, channels=64), 0.09, 0.19),  # 0.133 s
    ],
)
def test_estimates_on_two_cores_are_near_what_was_measured(monkeypatch, config, least_s, most_s):
    monkeypatch.setattr(time_estimate.os, "cpu_count", lambda: 2)
    assert least_s < estimate_training_s(config, "cpu") < most_s


def test_what_was_chosen_and_what_others_take_is_said_and_small_datasets_get_small_batches(
    studio, workspace
):
    request = RunRequest("streets", None, None, {}, device="cpu")
    config = choose_settings(workspace, request)
    assert config.batch_size == 24  # The dataset has as many pictures.
    said = explain_choice(workspace, request, config)
    assert said.startswith(
        "Preset small-and-quick, for 24 pictures of 32 x 32 pixels on the CPU: by estimate"
    )
    assert "big-and-patient" in said
    trained = studio("train", "streets", "--run", "new", "--batches", "1", "--batch-size", "4")
    assert "Preset small-and-quick, for 24 pictures" in " ".join(trained.err.split())


@pytest.mark.parametrize(
    "named",
    [{"preset": "none"}, {"preset": "plain-dcgan"}, {"init_from": "city"}, {"branch": "city"}],
)
def test_nothing_is_chosen_where_somebody_says_how_to_train(workspace, named):
    request = RunRequest("streets", None, **{"preset": None, **named}, settings={"batch_size": 4})
    said = explain_choice(workspace, request, choose_settings(workspace, request))
    assert "Preset" not in said
    assert ("By estimate it trains for" in said) == ("branch" not in named)


def test_none_is_every_setting_at_its_default(workspace):
    config = choose_settings(workspace, RunRequest("streets", None, "none", {}))
    assert config == TrainingConfig(dataset="streets", image_size=32)
