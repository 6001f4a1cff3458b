"""Trackers led on by tensors: the same numbers as the kernels', for any state and any rests."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints_index.codec import kernels
from checkpoints_index.codec.block_parts import UNTRACKED
from checkpoints_index.codec.leading import lead_on
from checkpoints_index.codec.staging import TrackedRows
from checkpoints_index.codec.tracking import BEGUN, MISSES, MOVES

WAYS = st.lists(st.sampled_from([UNTRACKED, BEGUN, MISSES, MOVES]), min_size=1, max_size=5)


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@settings(max_examples=80, deadline=None)
@given(ways=WAYS, size=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), reach=st.integers(0, 31))
def test_any_state_is_led_on_as_the_kernels_do(dtype, ways, size, seed, reach):
    choose, height = np.random.default_rng(seed), len(ways)
    limits = np.iinfo(dtype)
    shape = height, size
    items = choose.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    low, high = max(limits.min, -(2**reach)), min(limits.max, 2**reach)
    rests = choose.integers(low, high, shape, dtype, endpoint=True)
    state = choose.integers(-(2**15), 2**15, (2, *shape), np.int16)
    table = np.stack([np.array(ways), *choose.integers(0, 256, (2, height))]).astype(np.int64)
    buffer = torch.from_numpy(table.view(np.uint8).reshape(-1).copy())
    rows = TrackedRows(slice(size, size + size * height), size, height, slice(0, buffer.numel()))

    led = [torch.from_numpy(np.pad(part.reshape(-1), (size, 0))) for part in (items, *state)]
    padded = torch.from_numpy(np.pad(rests.reshape(-1), (size, 0)))
    lead_on([rows], buffer, led[0], padded, *led[1:])
    assert all(not part[:size].any() for part in led)  # What lies before is as it was.

    for row, way in enumerate(ways):
        own, at, speed = (part[size:].view(shape)[row].numpy() for part in led)
        if way == UNTRACKED:
            np.testing.assert_array_equal(own, items[row] + rests[row])
            continue
        wanted, wanted_state = items[row].copy(), state[:, row].copy()
        if way == BEGUN:
            way, wanted_state[:] = MOVES, 0
        keep, gain = (np.int32(number) for number in table[1:, row])
        kernels.follow(rests[row], way, keep, gain, wanted, *wanted_state)
        np.testing.assert_array_equal(own, wanted)
        np.testing.assert_array_equal([at, speed], wanted_state)
