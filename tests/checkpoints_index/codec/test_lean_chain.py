import errno

import pytest
import torch

from checkpoints_index.codec import lean_chain
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.lean_chain import LeanChain
from checkpoints_index.codec.record_chain import SKIP_INTERVAL, RecordChain
from checkpoints_index.codec.thread_pool import ThreadPool

STEP = 2.0**-10


def moving_weights(count):
    """Weights of several kinds, which go on nearly as they went; a convolution's, channels last."""
    torch.manual_seed(0)
    shapes = {"dense": (500, 300), "conv": (64, 32, 4, 4), "small": (30, 40), "bias": (50,)}
    weights = {name: torch.randn(shape) for name, shape in shapes.items()}
    weights["conv"] = weights["conv"].to(memory_format=torch.channels_last)
    weights["batches"] = torch.tensor(0)
    moves = {name: STEP * torch.randn(shape) for name, shape in shapes.items()}
    for batch in range(count):
        yield weights
        weights = {name: t + moves[name] if name in moves else t + 1 for name, t in weights.items()}
        if batch % 3 == 0:
            weights["small"] = weights["small"] + 20 * STEP


def layout_of(weights, tracks):
    steps = {name: STEP for name in ("dense", "conv", "small")}
    return TensorLayout.of(weights, steps, reversible=True, tracks=tracks)


@pytest.mark.parametrize("tracks", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_records_are_those_of_a_chain_that_makes_all_integers_first(tmp_path, tracks, threads):
    layout = layout_of(next(moving_weights(1)), tracks)
    usual = RecordChain(layout)
    lean = LeanChain(layout, tmp_path, ThreadPool(threads))
    for batch, weights in enumerate(moving_weights(2 * SKIP_INTERVAL + 3)):
        usual.take(weights)
        lean.take(weights)
        assert lean.encode_spare(batch) == usual.encode_spare(batch)
    assert lean.size_bytes == usual.size_bytes
    assert list(tmp_path.iterdir()) == []


def test_weights_that_outgrew_their_step_are_refused_before_anything_changed(tmp_path):
    first, second, third = moving_weights(3)
    layout = layout_of(first, tracks=False)
    usual, lean = RecordChain(layout), LeanChain(layout, tmp_path)
    for chain in (usual, lean):
        chain.take(first)
        chain.encode_spare(0)
    for spoilt in (1e6, float("nan"), float("inf")):
        large = {**second, "small": second["small"].clone()}
        large["small"][-1, -1] = spoilt
        with pytest.raises(OverflowError, match="'small' has outgrown"):
            lean.take(large)
    for chain in (usual, lean):
        chain.take(third)
    assert lean.encode_spare(2) == usual.encode_spare(2)


def test_integers_stay_in_memory_where_the_disk_is_full(tmp_path, monkeypatch):
    def no_room(*_):
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(lean_chain, "FiledArrays", no_room)
    layout = layout_of(next(moving_weights(1)), tracks=False)
    usual, lean = RecordChain(layout), LeanChain(layout, tmp_path)
    for batch, weights in enumerate(moving_weights(SKIP_INTERVAL + 2)):
        usual.take(weights)
        lean.take(weights)
        assert lean.encode_spare(batch) == usual.encode_spare(batch)
