"""Blocks of a lattice that are told by what trackers of their integers miss."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from checkpoints_index.codec import kernels
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.packing import ZERO, BlockPacker, BlockUnpacker
from checkpoints_index.codec.record_chain import SKIP_INTERVAL, RecordChain
from checkpoints_index.codec.tracking import (
    BEGUN,
    DOUBTED_AGE,
    MAX_AGE,
    MISSES,
    RESTLESSNESS,
    TRACKED,
    TrackerState,
    TrackingPacker,
    TrackingUnpacker,
    settling_gains,
)
from checkpoints_index.storage import segments

LIMIT = kernels.LATTICE_LIMIT


def coasting(count, size, noise=0.02, seed=0):
    """Rounded places of integers whose velocities change a little at random, as EMA moves them."""
    choose = np.random.default_rng(seed)
    velocities = choose.normal(0, 1.5, size) + choose.normal(0, noise, (count, size)).cumsum(0)
    return np.round(choose.normal(0, 300, size) + velocities.cumsum(0)).astype(np.int16)


def pack_all(places, entries=()):
    """The blocks of a sequence of places, the first of which is known; entries begin anew."""
    packer, tracker = BlockPacker(), TrackingPacker(places.shape[1])
    blocks, going_on = [], []
    for position, (base, new) in enumerate(itertools.pairwise(places), 1):
        blocks.append(tracker.pack(packer, new, base))
        going_on.append(tracker.goes_on)
        if position in entries:
            tracker.begin_anew()
    return blocks, going_on


def lead(blocks, places, first=0):
    """What the blocks lead to from a known place on, which has to be the places behind it."""
    unpacker = TrackingUnpacker(BlockUnpacker())
    items, state = places[first].copy(), None
    for block, wanted in zip(blocks[first:], places[first + 1 :], strict=True):
        state = unpacker.unpack(memoryview(block), items, 1, state)
        np.testing.assert_array_equal(items, wanted)


def sequences(dtype):
    limit = LIMIT[np.dtype(dtype).itemsize]
    anything = st.integers(-limit, limit)
    near = st.integers(-3, 3)
    return st.tuples(st.integers(2, 24), st.integers(1, 40)).flatmap(
        lambda shape: arrays(dtype, shape, elements=st.one_of(near, anything))
    )


@settings(max_examples=60, deadline=None)
@given(places=st.one_of(sequences(np.int16), sequences(np.int32)), entry=st.integers(1, 24))
def test_any_sequence_within_the_limits_is_led_through(places, entry):
    blocks, _ = pack_all(places, {entry})
    lead(blocks, places)
    if entry < len(places):
        lead(blocks, places, entry)


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
def test_integers_that_jump_from_limit_to_limit_are_led_through(dtype):
    limit = LIMIT[np.dtype(dtype).itemsize]
    signs = np.where(np.arange(30) % 2, -1, 1)[:, None]
    places = (signs * np.full(5000, limit)).astype(dtype)
    places[10:20] = limit  # They stand still, and jump again.
    blocks, _ = pack_all(places)
    lead(blocks, places)


def test_what_does_not_move_takes_a_byte_and_has_no_trackers():
    places = np.repeat(coasting(1, 3000), 12, 0)
    blocks, going_on = pack_all(places)
    assert blocks == [bytes([ZERO])] * 11
    assert not any(going_on)


def test_what_coasts_takes_fewer_bytes_than_its_differences():
    places = coasting(40, 50_000)
    blocks, going_on = pack_all(places)
    lead(blocks, places)
    plain = [BlockPacker().pack(new, base, None) for base, new in itertools.pairwise(places)]
    assert all(going_on[1:])
    assert all(len(block) <= len(other) + 4 for block, other in zip(blocks, plain, strict=True))
    assert sum(map(len, blocks[8:])) < 0.6 * sum(map(len, plain[8:]))


def test_what_moves_at_random_is_soon_told_by_its_differences_alone():
    choose = np.random.default_rng(0)
    places = choose.integers(-1, 2, (40, 50_000)).cumsum(0).astype(np.int16)
    blocks, going_on = pack_all(places, {20})
    lead(blocks, places)
    lead(blocks, places, 20)
    assert not any(going_on[DOUBTED_AGE + 1 :]), "not tried again behind an entry"
    plain = [BlockPacker().pack(new, base, None) for base, new in itertools.pairwise(places)]
    assert blocks[-1] == plain[-1]
    assert all(len(block) <= len(other) + 4 for block, other in zip(blocks, plain, strict=True))


def test_the_first_difference_behind_an_entry_can_be_undone_and_the_next_cannot():
    places = coasting(5, 3000)
    blocks, going_on = pack_all(places)
    assert going_on == [False, True, True, True]
    unpacker, items = TrackingUnpacker(BlockUnpacker()), places[1].copy()
    assert blocks[0][:2] == bytes([TRACKED, BEGUN])
    assert unpacker.unpack(memoryview(blocks[0]), items, -1, None) is None
    np.testing.assert_array_equal(items, places[0])
    with pytest.raises(ValueError, match="do not lead here"):
        unpacker.unpack(memoryview(blocks[2]), places[3].copy(), -1, None)
    with pytest.raises(ValueError, match="do not lead here"):
        unpacker.unpack(memoryview(blocks[2]), places[2].copy(), 1, None)


@settings(max_examples=100, deadline=None)
@given(block=st.binary(max_size=60), tracked=st.booleans(), size=st.integers(1, 30))
def test_bytes_that_no_packer_made_are_refused_or_lead_somewhere(block, tracked, size):
    block = bytes([TRACKED]) + block if tracked else block
    state = TrackerState.at_rest(size)
    unpacker = TrackingUnpacker(BlockUnpacker())
    try:
        unpacker.unpack(memoryview(block), np.zeros(size, np.int16), 1, state)
    except ValueError as error:
        assert str(error)  # noqa: PT017  (either is right)


@settings(max_examples=60, deadline=None)
@given(
    expected=arrays(np.int16, 50, elements=st.integers(-(2**15), 2**15 - 1)),
    velocity=arrays(np.int16, 50, elements=st.integers(-(2**15), 2**15 - 1)),
    rests=arrays(np.int16, 50, elements=st.integers(-(2**15), 2**15 - 1)),
    base=arrays(np.int16, 50, elements=st.integers(-(2**15), 2**15 - 1)),
    keep=st.integers(0, 255),
    gain=st.integers(0, 255),
    way=st.sampled_from([kernels.MISSES, kernels.MOVES]),
)
def test_the_rule_of_the_page_is_what_the_kernels_compute(
    expected, velocity, rests, base, keep, gain, way
):
    # The rule as docs/segment.md writes it, in integers of 64 bits, cut where they are kept.
    x, v, b, r = (a.astype(np.int64) for a in (expected, velocity, base, rests))
    move = (x + 128) >> 8
    left = x - (move << 8)
    if way == kernels.MISSES:
        rest = np.where(left < 0, -r, r)
        new = (b + move + rest).astype(np.int16)
    else:
        new = (b + r).astype(np.int16)
    rest = (new.astype(np.int64) - b - move).astype(np.int16).astype(np.int64)
    missed = (np.clip(rest, -127, 127) << 8) - left
    faster = v + ((gain * missed + 128) >> 8)
    onward = (faster - ((keep * missed + 128) >> 8)).astype(np.int16)
    items = base.copy()
    kernels.follow(rests, way, np.int32(keep), np.int32(gain), items, expected, velocity)
    np.testing.assert_array_equal(items, new)
    np.testing.assert_array_equal(expected, onward)
    np.testing.assert_array_equal(velocity, faster.astype(np.int16))


def test_gains_begin_high_settle_and_fit_in_a_byte():
    for restlessness in RESTLESSNESS:
        gains = settling_gains(restlessness)
        assert len(gains) == MAX_AGE
        assert all(0 <= keep <= 255 and 0 < gain <= 255 for keep, gain in gains)
        assert gains[0][0] <= gains[-1][0], "less is kept of a first guess"
        assert gains[-1] == gains[-2]
    settled = [settling_gains(restlessness)[-1] for restlessness in RESTLESSNESS]
    assert settled == sorted(settled, key=lambda pair: (pair[0], -pair[1]))


def test_a_steady_move_is_expected_after_a_few_integers():
    places = (np.arange(30)[:, None] * np.full(2000, 3)).astype(np.int16)
    blocks, _ = pack_all(places)
    lead(blocks, places)
    assert blocks[10][1] == MISSES
    assert len(blocks[10]) < 8, "nothing is missed"


def test_a_chain_whose_trackers_save_little_can_be_walked_back_soon():
    choose = np.random.default_rng(0)
    layout = TensorLayout.of({"w": torch.ones(300, 300)}, {"w": 1 / 4096}, True, tracks=True)
    (kind,) = layout.array_sizes
    chain = RecordChain(layout)
    places = choose.integers(-1, 2, (2 * SKIP_INTERVAL, 90_000)).cumsum(0)
    kinds = []
    for batch, place in enumerate(places):
        chain.spare[kind][:] = place
        kinds += [record.kind for record in chain.encode_spare(batch)]
    assert not chain.tracks_pay
    assert segments.TRACKED_DELTA in kinds[:DOUBTED_AGE]
    assert segments.TRACKED_DELTA not in kinds[DOUBTED_AGE + 1 :]
    following = RecordChain(layout, tracks_pay=chain.tracks_pay)
    for batch, place in enumerate(places[:20]):
        following.spare[kind][:] = place
        kinds = [record.kind for record in following.encode_spare(batch)]
        assert segments.TRACKED_DELTA not in kinds
