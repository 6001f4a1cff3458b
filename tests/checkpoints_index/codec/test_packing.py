"""Blocks of integers, packed and unpacked."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints_index.codec.kernels import LATTICE_LIMIT
from checkpoints_index.codec.packing import (
    GAPS,
    MAGNITUDES,
    NIBBLES,
    PREDICTED,
    SPLIT,
    TRITS,
    ZERO,
    BlockPacker,
    BlockUnpacker,
)

SIZES = (1, 7, 1000, 131_072)


def moved(base, fraction, reach, seed=0):
    """The base with a fraction of its items moved by up to a reach."""
    choose = np.random.default_rng(seed)
    moves = choose.integers(1, reach + 1, base.size) * choose.choice([-1, 1], base.size)
    return base + (moves * (choose.random(base.size) < fraction)).astype(base.dtype)


def unpacked(block, base, exponent, sign=1):
    items = base.copy()
    BlockUnpacker().unpack(memoryview(block), items, exponent, sign)
    return items


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@pytest.mark.parametrize(
    ("fraction", "reach", "form"),
    [(0, 1, ZERO), (0.02, 3, GAPS), (0.4, 1, TRITS), (0.9, 6, NIBBLES), (1, 3000, SPLIT)],
)
def test_differences_of_a_lattice_lead_there_and_back(size, dtype, fraction, reach, form):
    base = np.random.default_rng(1).integers(-9000, 9000, size).astype(dtype)
    new = moved(base, fraction, reach)
    block = BlockPacker().pack(new, base, None)
    if size > 100:
        assert block[0] == form
    assert np.array_equal(unpacked(block, base, None), new)
    assert np.array_equal(unpacked(block, new, None, sign=-1), base)


def test_a_few_far_moves_and_long_gaps_do_not_change_the_form():
    base = np.zeros(100_000, np.int16)
    new = base.copy()
    new[[0, 3, 50_000, 99_999]] = [1, -1, 9000, -300]
    block = BlockPacker().pack(new, base, None)
    assert block[0] == GAPS
    assert len(block) < 150
    assert np.array_equal(unpacked(block, base, None), new)
    assert np.array_equal(unpacked(block, new, None, sign=-1), base)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_a_block_that_stands_alone_holds_any_integers(size, dtype):
    limits = np.iinfo(dtype)
    items = np.random.default_rng(2).integers(limits.min, limits.max, size, dtype, endpoint=True)
    items[:1] = limits.min
    block = BlockPacker().pack(items, None, (0, 0))
    assert np.array_equal(unpacked(block, np.zeros_like(items), (0, 0)), items)


@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [(np.int16, (10, 31)), (np.int16, (7, 255)), (np.int32, (23, 255)), (np.int64, (52, 2047))],
)
def test_bits_of_floats_lead_from_any_to_any(dtype, exponent):
    limits, choose = np.iinfo(dtype), np.random.default_rng(3)
    base, new = choose.integers(limits.min, limits.max, (2, 5000), dtype, endpoint=True)
    new[:2000] = base[:2000] + choose.integers(-90, 90, 2000).astype(dtype)
    base[0], new[0] = limits.min, limits.max
    block = BlockPacker().pack(new, base, exponent)
    assert block[0] == MAGNITUDES
    assert np.array_equal(unpacked(block, base, exponent), new)
    reversible = BlockPacker().pack(new, base, (0, 0))
    assert np.array_equal(unpacked(reversible, new, (0, 0), sign=-1), base)


@pytest.mark.parametrize("fraction", [0.02, 0.4, 0.9, 1])
def test_bytes_that_are_no_block_are_refused_not_walked_into(fraction):
    base = np.zeros(5000, np.int16)
    block = BlockPacker().pack(moved(base, fraction, 1 if fraction < 0.9 else 900), base, None)
    with pytest.raises(ValueError, match="block"):
        unpacked(block, np.zeros(40, np.int16), None)
    with pytest.raises(ValueError, match="unknown form"):
        unpacked(b"\x63" + block[1:], base, None)


def test_entropy_of_small_moves_is_nearly_reached():
    base = np.zeros(131_072, np.int16)
    for fraction in (0.01, 0.05, 0.2, 0.6):
        new = moved(base, fraction, 1)
        symbols = np.unique(new, return_counts=True)[1] / new.size
        entropy_bytes = -(symbols * np.log2(symbols)).sum() * new.size / 8
        assert len(BlockPacker().pack(new, base, None)) < 1.15 * entropy_bytes


@st.composite
def pairs_of_blocks(draw):
    """Two blocks of integers of one type within the limits of a lattice, alike or not."""
    dtype = draw(st.sampled_from([np.int16, np.int32]))
    limit = LATTICE_LIMIT[np.dtype(dtype).itemsize]
    items = st.integers(-limit, limit) | st.sampled_from([0, 1, -1, limit, -limit])
    base = draw(st.lists(items, min_size=1, max_size=600))
    new = draw(st.lists(items, min_size=len(base), max_size=len(base)))
    alike = draw(st.lists(st.booleans(), min_size=len(base), max_size=len(base)))
    base, new = np.array(base, dtype), np.array(new, dtype)
    return base, np.where(alike, base, new)


@settings(max_examples=100, deadline=None)
@given(pairs_of_blocks())
def test_any_blocks_of_a_lattice_lead_there_and_back(pair):
    base, new = pair
    block = BlockPacker().pack(new, base, None)
    assert np.array_equal(unpacked(block, base, None), new)
    assert np.array_equal(unpacked(block, new, None, sign=-1), base)
    alone = BlockPacker().pack(new, None, None)
    assert np.array_equal(unpacked(alone, np.zeros_like(new), None), new)


@settings(max_examples=100, deadline=None)
@given(pairs_of_blocks(), st.data())
def test_a_damaged_block_raises_a_value_error_or_gives_other_integers(pair, data):
    base, new = pair
    block = bytearray(BlockPacker().pack(new, base, None))
    size = data.draw(st.integers(1, len(block)))
    block[data.draw(st.integers(0, len(block) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(ValueError):
        assert unpacked(block[:size], base, None).shape == new.shape


@st.composite
def three_blocks(draw):
    """Blocks of integers of one type, of three checkpoints: any, or on a line with some noise."""
    dtype = draw(st.sampled_from([np.int8, np.int16, np.int32, np.int64]))
    limits, size = np.iinfo(dtype), draw(st.integers(1, 300))
    choose = np.random.default_rng(draw(st.integers(0, 2**32)))
    before, base, new = choose.integers(limits.min, limits.max, (3, size), dtype, endpoint=True)
    if draw(st.booleans()):
        noise = choose.integers(-2, 3, size).astype(dtype)
        with np.errstate(over="ignore"):
            new = base + (base - before) + noise
    return before, base, new


@settings(max_examples=100, deadline=None)
@given(three_blocks(), st.sampled_from([(0, 0), (2, 15), (7, 255)]))
def test_any_blocks_lead_there_from_the_two_before(blocks, exponent):
    before, base, new = blocks
    block = BlockPacker().pack(new, base, exponent, before)
    items, earlier = base.copy(), before.copy()
    BlockUnpacker().unpack(memoryview(block), items, exponent, before=earlier)
    assert np.array_equal(items, new)
    assert np.array_equal(earlier, base)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_what_goes_on_as_it_went_is_predicted_and_short(dtype):
    choose = np.random.default_rng(4)
    before = choose.integers(-(2**13), 2**13, 131_072).astype(dtype)
    step = choose.integers(-500, 500, before.size).astype(dtype)
    base = before + step
    on, halved, anew = (
        BlockPacker().pack(base + s, base, (0, 0), before)
        for s in (step, step >> 1, choose.permutation(step))
    )
    assert (on[:2], halved[:2]) == (bytes([PREDICTED, 8]), bytes([PREDICTED, 4]))
    assert max(len(on), len(halved)) < 1000
    assert anew[0] == MAGNITUDES


def test_a_predicted_block_is_refused_where_nothing_is_known_before_it():
    before, base, new = (np.arange(k, 900 + k, dtype=np.int32) * k for k in (2, 3, 4))
    block = BlockPacker().pack(new, base, (0, 0), before)
    assert block[0] == PREDICTED
    with pytest.raises(ValueError, match="unknown form"):
        unpacked(block, base, (0, 0))


@settings(max_examples=100, deadline=None)
@given(three_blocks(), st.data())
def test_a_damaged_predicted_block_raises_a_value_error_or_gives_integers(blocks, data):
    before, base, new = blocks
    block = bytearray(BlockPacker().pack(new, base, (0, 0), before))
    block[data.draw(st.integers(0, len(block) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = bytes(block[: data.draw(st.integers(1, len(block)))])
    with contextlib.suppress(ValueError):
        BlockUnpacker().unpack(memoryview(cut), base.copy(), (0, 0), before=before.copy())
