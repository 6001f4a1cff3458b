"""The model of bytes before a run begins, and what measured numbers say while it goes on."""

import math
from dataclasses import replace

import pytest

from checkpoints_index.storage.catalogue import open_catalogue
from studio.runs.config import TrainingConfig
from studio.runs.forecast import (
    Forecast,
    describe_growth,
    describe_launch,
    estimate_bytes,
    forecast_growth,
    forecast_launch,
    free_bytes,
    memory_of_keeping,
    recent_bytes,
)
from studio.runs.metrics import read_metrics
from studio.training.setup.presets import DEMO
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.records.quantities import format_bytes
from tests.studio.conftest import BATCHES

DCGAN_64 = [
    (8192, 100),
    (512, 256, 3, 3),
    (256, 128, 3, 3),
    (128, 64, 4, 4),
    (1_131_000, 1),
    (512,),
]
LIVE = TrainingConfig(ema=0, batches=10**9)  # so long that its beginning does not count


@pytest.fixture
def shapes():
    """Of 3.58 M weights, as the model was measured with."""
    weights = sum(map(math.prod, DCGAN_64))
    return [*DCGAN_64, (3_580_000 - weights, 1)]


def test_the_model_gives_what_was_measured(shapes):
    assert estimate_bytes(shapes, LIVE, "exact") == pytest.approx(8.1e6, rel=0.01)
    assert estimate_bytes(shapes, LIVE, "visual") == pytest.approx(293e3, rel=0.02)
    late = replace(LIVE, learning_rate_g=2.5e-5)
    assert estimate_bytes(shapes, late, "visual") == pytest.approx(80e3, rel=0.03)


def test_a_coarser_quality_an_average_and_a_longer_run_take_less_a_batch(shapes):
    usual = estimate_bytes(shapes, LIVE, "visual")
    coarse = estimate_bytes(shapes, replace(LIVE, quality=0.4), "visual")
    averaged = estimate_bytes(shapes, replace(LIVE, ema=0.999), "visual")
    short = estimate_bytes(shapes, replace(LIVE, batches=1000), "visual")
    assert coarse < averaged < usual < short


@pytest.mark.parametrize(("batches", "measured_kB"), [(272, 131), (600, 113)])
def test_the_model_gives_what_the_run_of_the_demo_takes(batches, measured_kB):
    demo = replace(DEMO, batches=batches)
    weights = demo.generator_spec().build().state_dict().values()
    estimate = estimate_bytes([tuple(tensor.shape) for tensor in weights], demo, "visual")
    assert estimate == pytest.approx(measured_kB * 1000, rel=0.1)


def test_small_tensors_stay_exact_in_either_storage():
    vectors = [(1000,), (30, 30)]
    assert estimate_bytes(vectors, LIVE, "visual") == estimate_bytes(vectors, LIVE, "exact")


def test_the_disk_is_full_where_the_next_checkpoint_does_not_fit():
    forecast = Forecast(bytes_per_batch=10, reached=100, wanted=200, free_bytes=505)
    assert forecast.full_at == 151
    assert not forecast.fits
    assert replace(forecast, free_bytes=1000).fits
    assert replace(forecast, batches_per_s=0.5).full_in_s == 102
    assert forecast.full_in_s is None


def test_a_pace_tells_when_the_disk_is_full():
    forecast = Forecast(1e6, 1_000, 100_000, 40_199 * 10**6, batches_per_s=0.155)
    assert describe_growth(forecast) == (
        "At this pace the disk is full at batch 41,200, in about 3 days."
    )
    fits = replace(forecast, wanted=2_000)
    told = "Room for all 2,000 batches: 1.0 GB more, of 40.2 GB that are free."
    assert describe_growth(fits) == told


def test_a_launch_that_fits_is_told_without_a_warning(tmp_path):
    text, warning = describe_launch(TrainingConfig(batches=2), "visual", tmp_path / "not" / "yet")
    assert "2 batches take" in text
    assert warning == ""


def test_an_exact_launch_that_does_not_fit_names_the_batch_and_what_visual_needs(tmp_path):
    config = TrainingConfig(batches=10**9)
    text, warning = describe_launch(config, "exact", tmp_path)
    visual = forecast_launch(config, "visual", tmp_path)
    assert "Visual storage would take" in text
    assert f"{visual.bytes_per_batch / 1000:.1f} kB a batch" in text
    assert warning.startswith("The disk will be full at batch ")
    assert "of 1,000,000,000" in warning


def test_the_memory_that_keeping_a_large_generator_takes_is_told(tmp_path):
    config = TrainingConfig(generator="skyline", image_size=1024, batches=2)
    weights = 4 * 117_474_627
    for device, storage, most in (("cpu", "visual", 3), ("cuda", "visual", 3), ("cpu", "exact", 4)):
        needed = memory_of_keeping(config, storage, device)
        assert weights < needed <= most * weights
        text, _ = describe_launch(config, storage, tmp_path, device=device)
        assert f"up to about {format_bytes(needed)} of memory beside the training" in text
    small = TrainingConfig(generator="dcgan", image_size=64, batches=2)
    assert memory_of_keeping(small, "visual", "cpu") < 200_000_000
    assert "memory" not in describe_launch(small, "visual", tmp_path)[0]


def test_a_generator_that_cannot_be_is_a_sentence(tmp_path):
    with pytest.raises(EXPECTED_ERRORS, match="No generator architecture"):
        forecast_launch(TrainingConfig(generator="vae"), "visual", tmp_path)


def test_the_live_forecast_goes_by_what_checkpoints_took(workspace):
    catalogue = open_catalogue(workspace.runs, "city")
    each = recent_bytes(catalogue)
    assert each == pytest.approx(catalogue.size_bytes / BATCHES, rel=0.35)  # less headers
    metrics = read_metrics(workspace.metrics("city"))
    forecast = forecast_growth(catalogue, metrics, 10**15)
    assert (forecast.reached, forecast.wanted) == (BATCHES, 10**15)
    assert forecast.batches_per_s > 0
    assert not forecast.fits
    room = free_bytes(workspace.root)
    assert forecast.full_at == pytest.approx(room / each, rel=0.05)


def test_before_the_first_batch_there_is_no_live_forecast(workspace):
    catalogue = open_catalogue(workspace.runs, "city")
    assert forecast_growth(catalogue, [], 100) is None


def test_a_branch_is_forecast_from_the_batch_that_it_goes_on_from(tmp_path):
    whole = forecast_launch(TrainingConfig(batches=100), "visual", tmp_path)
    branch = forecast_launch(TrainingConfig(batches=100), "visual", tmp_path, 90)
    assert branch.needed_bytes == pytest.approx(whole.needed_bytes / 10)
    text, _ = describe_launch(TrainingConfig(batches=100), "visual", tmp_path, 90)
    assert "10 batches take" in text
