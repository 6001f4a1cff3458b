import numpy as np
import pytest
import torch

from latent.errors import UserError
from studio.training.batches import Batches


def draw(pixels, seed=0, **options):
    options = {"image_size": 32, "batch_size": 6, "random_flips": True} | options
    return Batches(pixels, seed=seed, device=torch.device("cpu"), **options)


def test_batches_are_the_pictures_between_minus_one_and_one(pixels):
    batch = next(draw(pixels, random_flips=False))
    assert batch.shape == (6, 3, 32, 32)
    levels = ((batch + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert all((level == pixels).all(axis=(1, 2, 3)).any() for level in levels)


def test_about_half_of_the_pictures_are_mirrored():
    ramp = np.broadcast_to(np.arange(32, dtype=np.uint8)[None, None, :, None], (5, 32, 32, 3))
    batch = next(draw(ramp, batch_size=200))
    mirrored = (batch[:, 0, 0, 0] > batch[:, 0, 0, -1]).float().mean()
    assert 0.3 < mirrored < 0.7


def test_the_same_seed_draws_the_same_batches_and_another_seed_others(pixels):
    one, same, other = draw(pixels), draw(pixels), draw(pixels, seed=1)
    first = next(one)
    assert torch.equal(first, next(same))
    assert not torch.equal(first, next(other))


def test_a_restored_state_goes_on_where_it_was_saved(pixels):
    batches = draw(pixels)
    next(batches)
    state, expected = batches.state, next(batches)
    restored = draw(pixels, seed=9)
    restored.state = state
    assert torch.equal(next(restored), expected)


def test_a_memory_mapped_dataset_is_drawn_from_as_it_lies(tmp_path, pixels):
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    assert torch.equal(next(draw(mapped)), next(draw(pixels)))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 64, 64, 3), np.uint8),
        np.zeros((4, 32, 32, 3), np.float32),
        np.zeros((0, 32, 32, 3), np.uint8),
    ],
)
def test_pixels_that_do_not_fit_are_refused_with_what_was_expected(wrong):
    with pytest.raises(UserError, match=r"uint8 \[count, 32, 32, 3\]"):
        draw(wrong)
