import gc
import json
import threading

import numpy as np
import pytest
import torch

from studio.training.data.batches import Batches
from studio.training.data.drawn_ahead import AHEAD
from studio.training.machine.processes import Processes
from studio.workspace.errors import EXPECTED_ERRORS


def draw(pixels, seed=0, **options):
    options = {"image_size": 32, "batch_size": 6, "random_flips": True} | options
    return Batches(pixels, seed=seed, **{"device": torch.device("cpu")} | options)


def levels_of(batch):
    """float [N, 3, S, S] in -1..1 -> uint8 [N, S, S, 3]."""
    return ((batch + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def threads_of_batches():
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_batches_are_the_pictures_between_minus_one_and_one(pixels):
    batch = next(draw(pixels, random_flips=False))
    assert batch.shape == (6, 3, 32, 32)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert all((level == pixels).all(axis=(1, 2, 3)).any() for level in levels_of(batch))


def test_about_half_of_the_pictures_are_mirrored():
    ramp = np.broadcast_to(np.arange(32, dtype=np.uint8)[None, None, :, None], (200, 32, 32, 3))
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


def test_the_state_is_of_what_was_taken_however_much_is_gathered_ahead(pixels):
    batches, stepwise = draw(pixels), draw(pixels)
    for _ in range(AHEAD + 2):
        state = json.loads(json.dumps(batches.state))
        restored = draw(pixels)
        restored.state = state
        assert torch.equal(next(batches), next(restored))
        stepwise.close()  # nothing that was gathered ahead is used
        next(stepwise)
        assert stepwise.state == batches.state


def test_going_back_to_a_state_draws_the_same_batches_again(pixels):
    batches = draw(pixels)
    next(batches)
    state = batches.state
    expected = [next(batches) for _ in range(3)]
    batches.state = state
    assert all(map(torch.equal, expected, (next(batches) for _ in range(3))))


def test_larger_pictures_are_cropped_each_at_a_place_of_its_own():
    rows, columns = np.mgrid[:40, :40].astype(np.uint8)
    pixels = np.broadcast_to(np.stack([rows, columns, rows], 2), (200, 40, 40, 3))
    levels = levels_of(next(draw(pixels, batch_size=200, random_flips=False)))
    corners = levels[:, 0, 0, :2]
    assert (levels[:, :, :, 0] == corners[:, :1, None] + np.arange(32)[:, None]).all()
    assert (levels[:, :, :, 1] == corners[:, 1:, None] + np.arange(32)).all()
    assert set(corners[:, 0]) == set(corners[:, 1]) == set(range(9)), "every place is drawn"


def test_processes_gather_their_shares_of_the_same_batch(pixels):
    cpu = torch.device("cpu")
    single = draw(pixels)
    both = [draw(pixels, processes=Processes(rank, 2, cpu)) for rank in (0, 1)]
    for _ in range(3):
        assert torch.equal(next(single), torch.cat([next(batches) for batches in both]))


def test_closing_or_dropping_ends_the_thread(pixels):
    gc.collect()
    others = set(threads_of_batches())
    batches = draw(pixels)
    next(batches)
    (closed,) = set(threads_of_batches()) - others
    batches.close()
    assert not closed.is_alive()
    next(batches)
    (thread,) = set(threads_of_batches()) - others - {closed}
    del batches
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_what_goes_wrong_in_the_thread_is_raised_by_next_until_it_is_put_right(pixels):
    batches, expected = draw(pixels), next(draw(pixels))
    batches.pixels = Unreadable()
    for _ in range(2):
        with pytest.raises(OSError, match="the disk is gone"):
            next(batches)
    batches.pixels = pixels
    batches.close()
    assert torch.equal(next(batches), expected)


class Unreadable:
    """Pixels on a disk that fails, which no file of a test can."""

    shape = (10, 32, 32, 3)

    def __len__(self):
        return 10

    def __getitem__(self, place):
        raise OSError("the disk is gone")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_the_batches_are_those_of_the_processor(pixels):
    on_gpu, on_cpu = draw(pixels, device=torch.device("cuda")), draw(pixels)
    for _ in range(2 * AHEAD):
        assert torch.equal(next(on_gpu).cpu(), next(on_cpu))


def test_fewer_pictures_than_a_batch_are_refused_with_both_numbers(pixels):
    with pytest.raises(
        EXPECTED_ERRORS, match=r"10 pictures, fewer than one batch of 64.*batch_size"
    ):
        draw(pixels, batch_size=64)


def test_a_memory_mapped_dataset_is_drawn_from_as_it_lies(tmp_path, pixels):
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    assert torch.equal(next(draw(mapped)), next(draw(pixels)))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 16, 16, 3), np.uint8),
        np.zeros((4, 64, 32, 3), np.uint8),
        np.zeros((4, 32, 32, 3), np.float32),
    ],
)
def test_pixels_that_do_not_fit_are_refused_with_what_was_expected(wrong):
    with pytest.raises(EXPECTED_ERRORS, match=r"uint8 \[count, 32, 32, 3\]"):
        draw(wrong)
