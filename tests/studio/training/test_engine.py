import numpy as np
import pytest
import torch

from latent.errors import UserError
from studio.training.batches import Batches
from studio.training.engine import train
from studio.training.recipes import build_recipe
from studio.training.state import list_states, save_state


@pytest.fixture
def fixed_z(config):
    return torch.randn(2, config.z_dim, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def start(config, pixels, fixed_z, tmp_path):
    """Trains a run by name, from the smallest config."""

    def run(checkpoints, until_batch=config.batches, changed=config, data=pixels, **callbacks):
        folder = tmp_path / checkpoints.name
        return train(
            changed, data, checkpoints, folder, fixed_z, until_batch=until_batch, **callbacks
        )

    return run


def test_every_batch_leaves_one_checkpoint_and_one_set_of_metrics(start, new_checkpoints):
    checkpoints, seen = new_checkpoints("city"), {}
    assert start(checkpoints, observe=seen.__setitem__) == 6
    assert checkpoints.batches == list(seen) == [1, 2, 3, 4, 5, 6]
    assert all(np.isfinite(list(metrics.values())).all() for metrics in seen.values())


def test_frames_of_the_fixed_points_come_first_regularly_and_last(start, new_checkpoints):
    checkpoints, shown = new_checkpoints("city"), {}
    start(checkpoints, until_batch=5, on_frames=shown.__setitem__)
    assert list(shown) == [1, 2, 4, 5]
    assert all(frames.shape == (2, 32, 32, 3) for frames in shown.values())
    assert all(frames.dtype == np.uint8 for frames in shown.values())


def test_the_frames_are_those_of_the_checkpoint(start, new_checkpoints, fixed_z):
    checkpoints, shown = new_checkpoints("city"), {}
    start(checkpoints, until_batch=3, on_frames=shown.__setitem__)
    pictures = checkpoints.generator(3)(fixed_z).permute(0, 2, 3, 1).detach()
    expected = ((pictures + 1) * 127.5).round().to(torch.uint8).numpy()
    np.testing.assert_allclose(shown[3].astype(int), expected.astype(int), atol=1)


def test_a_stopped_and_resumed_run_is_bit_identical_to_an_undisturbed_one(start, new_checkpoints):
    whole, parts = new_checkpoints("whole"), new_checkpoints("parts")
    start(whole)
    asked = iter([False, False, True])
    assert start(parts, should_stop=lambda: next(asked)) == 2
    assert start(parts) == 6
    assert whole.batches == parts.batches
    for batch in whole.batches:
        one, other = whole.weights(batch), parts.weights(batch)
        assert all(torch.equal(one[name], other[name]) for name in one), batch


def test_checkpoints_later_than_the_state_are_made_again_after_a_crash(start, new_checkpoints):
    checkpoints = new_checkpoints("city")

    def crash(batch, metrics):
        if batch == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(checkpoints, observe=crash)
    lost = checkpoints.weights(5)
    observed = []
    start(checkpoints, observe=lambda batch, metrics: observed.append(batch))
    assert observed == [4, 5, 6]
    assert checkpoints.batches == [1, 2, 3, 4, 5, 6]
    assert all(torch.equal(t, lost[name]) for name, t in checkpoints.weights(5).items())


def test_a_run_killed_before_its_first_saved_state_starts_over(start, new_checkpoints):
    checkpoints = new_checkpoints("city")

    def crash(batch, metrics):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(checkpoints, observe=crash)
    assert checkpoints.batches == [1]
    assert start(checkpoints, until_batch=2) == 2
    assert checkpoints.batches == [1, 2]


def test_a_finished_run_has_nothing_left_to_train(start, new_checkpoints):
    checkpoints, shown = new_checkpoints("city"), {}
    start(checkpoints)
    assert start(checkpoints, on_frames=shown.__setitem__) == 6
    assert list(shown) == [6]


def test_a_run_that_is_asked_to_stop_at_once_trains_nothing(start, new_checkpoints):
    checkpoints = new_checkpoints("city")
    assert start(checkpoints, should_stop=lambda: True) == 0
    assert checkpoints.batches == []


def test_training_that_diverges_stops_with_the_batch_and_keeps_no_broken_weights(
    start, new_checkpoints, config, pixels, tmp_path
):
    recipe = build_recipe(config, torch.device("cpu"))
    recipe.optimizers["optimizer_g"].param_groups[0]["lr"] = 1e30
    batches = Batches(pixels, 32, config.batch_size, 0, True, torch.device("cpu"))
    save_state(tmp_path / "city" / "training_state", recipe, batches)
    checkpoints = new_checkpoints("city")
    with pytest.raises(UserError, match="diverged at batch") as refusal:
        start(checkpoints)
    kept = checkpoints.batches
    assert f"at batch {len(kept) + 1} " in str(refusal.value)
    for batch in kept:
        assert all(tensor.isfinite().all() for tensor in checkpoints.weights(batch).values())


def test_checkpoints_without_a_training_state_are_left_alone(start, new_checkpoints, config):
    checkpoints = new_checkpoints("city")
    checkpoints.append(7, config.generator_spec().build().state_dict())
    with pytest.raises(UserError, match="checkpoints up to batch 7, but no training state"):
        start(checkpoints)
    assert checkpoints.batches == [7]


def test_pixels_of_another_size_are_refused_before_anything_is_written(
    start, new_checkpoints, tmp_path
):
    checkpoints = new_checkpoints("city")
    with pytest.raises(UserError, match="--image-size 32"):
        start(checkpoints, data=np.zeros((4, 64, 64, 3), np.uint8))
    assert list_states(tmp_path / "city" / "training_state") == []
