import pytest
import torch

from studio.runs.config import TrainingConfig
from studio.training.recipes.labels import LABEL_DRAWS, draw_labels, mean_labels


@pytest.fixture
def draws():
    return torch.rand(20_000, LABEL_DRAWS, generator=torch.Generator().manual_seed(0))


def test_labels_are_hard_by_themselves_and_smooth_on_the_real_side_alone(draws):
    real, fake = draw_labels(TrainingConfig(label_smoothing=0), draws)
    assert (real == 1).all()
    assert (fake == 0).all()
    real, fake = draw_labels(TrainingConfig(label_smoothing=0.25), draws)
    assert (real == 0.75).all()
    assert (fake == 0).all()


@pytest.mark.parametrize("loss", ["hinge", "wasserstein", "relativistic"])
def test_smoothing_is_about_cross_entropy_alone(loss, draws):
    real, _ = draw_labels(TrainingConfig(loss=loss, label_smoothing=0.25), draws)
    assert (real == 1).all()


def test_noise_moves_labels_towards_a_half_and_never_beyond(draws):
    real, fake = draw_labels(TrainingConfig(label_smoothing=0.1, label_noise=0.2), draws)
    assert real.min() == pytest.approx(0.7, abs=1e-3)
    assert real.max() == pytest.approx(0.9, abs=1e-3)
    assert fake.min() == pytest.approx(0, abs=1e-3)
    assert fake.max() == pytest.approx(0.2, abs=1e-3)
    real, _ = draw_labels(TrainingConfig(label_smoothing=0.1, label_noise=0.5), draws)
    assert real.min() == pytest.approx(0.5, abs=1e-3)


def test_the_given_share_of_labels_is_the_other_kinds(draws):
    real, fake = draw_labels(TrainingConfig(label_smoothing=0.1, label_flips=0.25), draws)
    assert (real == 0).float().mean() == pytest.approx(0.25, abs=0.01)
    assert (fake == 0.9).float().mean() == pytest.approx(0.25, abs=0.01)
    both = ((real == 0) & (fake == 0.9)).float().mean()
    assert both == pytest.approx(0.25**2, abs=0.01)


def test_the_means_are_those_of_what_is_drawn(draws):
    config = TrainingConfig(label_smoothing=0.1, label_noise=0.3, label_flips=0.2)
    drawn = [labels.mean().item() for labels in draw_labels(config, draws)]
    assert drawn == pytest.approx(mean_labels(config), abs=0.01)
