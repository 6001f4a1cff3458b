"""Payloads unpacked by tensor operations are, to the bit, those that the kernels unpack."""

import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints_index.codec import payloads
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.kernels import LATTICE_LIMIT
from checkpoints_index.codec.packing import (
    BLOCK_ITEMS,
    GAPS,
    MAGNITUDES,
    NIBBLES,
    PREDICTED,
    SPLIT,
    TRITS,
    ZERO,
    BlockPacker,
)
from checkpoints_index.codec.staging import MAX_ROWS, PayloadStager
from checkpoints_index.codec.tensor_entry import TensorEntry
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.codec.unpacking import predict, unpack_moves

DTYPES = ("float16", "bfloat16", "float32", "float64", "int8", "int64", "bool")


def layout_of(sizes, dtypes, lattice=None, reversible=False, predicts=False):
    """One tensor for each size; a lattice of so many bytes where one is named, else exact."""
    lattice = lattice or {}
    entries = [
        TensorEntry(f"t{i}", (size,), dtype, 0.5 if i in lattice else None, lattice.get(i, 2))
        for i, (size, dtype) in enumerate(zip(sizes, dtypes, strict=True))
    ]
    return TensorLayout(tuple(entries), reversible, predicts)


def forms_of(layout, payload):
    bounds = payloads.find_blocks(payload, len(layout.blocks))
    return {payload[start] for start in bounds[:-1].tolist()}


def unpack_by_tensors(layout, payload, arrays, sign=1, before=None, threads=1):
    """What a device does, on the CPU: arrays and those before become what they are afterwards."""
    stager = PayloadStager(layout, ThreadPool(threads))
    staged = stager.stage(payload, lambda size: np.full(size, 99, np.uint8))
    buffer, is_sound = torch.from_numpy(staged.buffer), True
    for kind, own in staged.kinds.items():
        base = torch.from_numpy(arrays[kind])
        expected, moves = base, torch.full_like(base, 77)
        if before is not None:
            expected = torch.full_like(base, 55)
            predict(own, buffer, base, torch.from_numpy(before[kind]), expected)
            before[kind] = base.numpy().copy()
        exponent = kind.exponent_field(layout.reversible)
        sound = unpack_moves(own, buffer, expected, exponent, moves)
        is_sound &= sound is None or bool(sound)
        arrays[kind][:] = (expected + moves if sign > 0 else expected - moves).numpy()
    return is_sound


def compare(layout, payload, arrays, sign=1, before=None, threads=1):
    """Unpack in both ways, and see that all integers are the same."""
    own = {kind: items.copy() for kind, items in arrays.items()}
    own_before = before and {kind: items.copy() for kind, items in before.items()}
    payloads.unpack(layout, [(payload, sign)], arrays, SERIAL, before)
    assert unpack_by_tensors(layout, payload, own, sign, own_before, threads)
    for kind, items in arrays.items():
        assert own[kind].dtype == items.dtype
        np.testing.assert_array_equal(own[kind], items)
        if before is not None:
            np.testing.assert_array_equal(own_before[kind], before[kind])
    return arrays


def pack(layout, new, base, before=None):
    return payloads.pack(layout, new, base, [BlockPacker()], SERIAL, before)


def moved(choose, base, fraction, reach):
    """The base with a fraction of its items moved by up to a reach."""
    moves = choose.integers(1, reach + 1, base.size) * choose.choice([-1, 1], base.size)
    return base + (moves * (choose.random(base.size) < fraction)).astype(base.dtype)


WAYS = {  # the form that most blocks take -> the fraction that moves, and how far at most
    ZERO: (0, 1),
    GAPS: (0.02, 300),
    TRITS: (0.4, 1),
    NIBBLES: (0.9, 6),
    SPLIT: (1, 3000),
}


@pytest.mark.parametrize("itemsize", [2, 4])
@pytest.mark.parametrize("form", WAYS)
def test_blocks_of_a_form_are_unpacked_forwards_and_backwards(form, itemsize):
    choose = np.random.default_rng(form)
    sizes = (3 * BLOCK_ITEMS + 5, 17, 40_000, 2 * BLOCK_ITEMS)
    layout = layout_of(sizes, ["float32"] * 4, dict.fromkeys(range(4), itemsize), reversible=True)
    base = {k: choose.integers(-9000, 9000, n).astype(f"i{itemsize}") for k, n in sizes_of(layout)}
    new = {kind: moved(choose, items, *WAYS[form]) for kind, items in base.items()}
    payload = pack(layout, new, base)
    assert form in forms_of(layout, payload)
    forwards = compare(layout, payload, {k: i.copy() for k, i in base.items()})
    assert all(np.array_equal(forwards[kind], new[kind]) for kind in new)
    backwards = compare(layout, payload, {k: i.copy() for k, i in new.items()}, sign=-1)
    assert all(np.array_equal(backwards[kind], base[kind]) for kind in base)


def sizes_of(layout):
    return layout.array_sizes.items()


@pytest.mark.parametrize("threads", [1, 3])
def test_forms_that_take_turns_within_a_tensor_are_unpacked(threads):
    """More blocks of each form than are unpacked at a time, none of them side by side."""
    choose, count = np.random.default_rng(1), 3 * (MAX_ROWS[SPLIT] + 1)
    layout = layout_of([count * BLOCK_ITEMS + 9], ["float32"], {0: 2}, reversible=True)
    (kind,) = layout.array_sizes
    base = {kind: choose.integers(-90, 90, layout.array_sizes[kind]).astype(np.int16)}
    new, ways = {kind: base[kind].copy()}, [WAYS[SPLIT], WAYS[TRITS], WAYS[GAPS]]
    for block, (_, part) in enumerate(layout.blocks):
        new[kind][part] = moved(choose, base[kind][part], *ways[block % 3])
    payload = pack(layout, new, base)
    assert forms_of(layout, payload) == {SPLIT, TRITS, GAPS}
    assert np.array_equal(compare(layout, payload, base, threads=threads)[kind], new[kind])


@pytest.mark.parametrize("sign", [1, -1])
def test_lattices_wrap_around_as_the_kernels_let_them(sign):
    """Bytes that lead beyond the limits of a lattice, which only somebody else writes."""
    choose = np.random.default_rng(2)
    for fraction, reach in WAYS.values():
        layout = layout_of([50_000], ["float32"], {0: 2}, reversible=True)
        (kind,) = layout.array_sizes
        zeros = {kind: np.zeros(50_000, np.int16)}
        payload = pack(layout, {kind: moved(choose, zeros[kind], fraction, reach)}, zeros)
        limits = choose.choice([-(2**15), 2**15 - 1, 0], 50_000).astype(np.int16)
        compare(layout, payload, {kind: limits}, sign)


@st.composite
def layouts(draw, rounded):
    """Layouts of a few tensors, of one kind of integers or several."""
    sizes = draw(st.lists(st.integers(1, 400) | st.just(20_000), min_size=1, max_size=4))
    if rounded:
        lattice = {i: draw(st.sampled_from([2, 4])) for i in range(len(sizes))}
        return layout_of(sizes, ["float32"] * len(sizes), lattice, reversible=True)
    dtypes = [draw(st.sampled_from(DTYPES)) for _ in sizes]
    reversible = draw(st.booleans())
    return layout_of(sizes, dtypes, {}, reversible, not reversible and draw(st.booleans()))


@settings(max_examples=60, deadline=None)
@given(layouts(rounded=True), st.sampled_from(list(WAYS)), st.integers(0, 2**32), st.booleans())
def test_any_moves_of_lattices_are_unpacked(layout, form, seed, alone):
    choose = np.random.default_rng(seed)
    base, new = {}, {}
    for kind, size in layout.array_sizes.items():
        limit = LATTICE_LIMIT[kind.itemsize]
        base[kind] = choose.integers(-limit, limit, size, f"i{kind.itemsize}", endpoint=True)
        new[kind] = np.clip(moved(choose, base[kind], *WAYS[form]), -limit, limit)
        far = choose.random(size) < choose.choice([0, 0.01, 0.2])
        new[kind][far] = choose.integers(-limit, limit, int(far.sum()), endpoint=True)
    if alone:
        compare(layout, pack(layout, new, None), layout.new_arrays())
        return
    payload = pack(layout, new, base)
    compare(layout, payload, {kind: items.copy() for kind, items in base.items()})
    compare(layout, payload, new, sign=-1)


def three_checkpoints(layout, choose, smooth):
    """Integers of three checkpoints, anything or nearly on a line: before, base, new."""
    found = {}, {}, {}
    for kind, size in layout.array_sizes.items():
        limits = np.iinfo(f"i{kind.itemsize}")
        before, base, new = choose.integers(
            limits.min, limits.max, (3, size), limits.dtype, endpoint=True
        )
        if smooth:
            base = before + choose.integers(-90, 90, size).astype(base.dtype)
            new = base + (base - before) + choose.integers(-2, 3, size).astype(base.dtype)
        for arrays, items in zip(found, (before, base, new), strict=True):
            arrays[kind] = items
    return found


@settings(max_examples=100, deadline=None)
@given(layouts(rounded=False), st.booleans(), st.integers(0, 2**32), st.booleans())
def test_any_bits_are_unpacked(layout, smooth, seed, alone):
    with np.errstate(over="ignore"):
        before, base, new = three_checkpoints(layout, np.random.default_rng(seed), smooth)
    if alone:
        zeros = layout.new_arrays_before()
        compare(layout, pack(layout, new, None), layout.new_arrays(), before=zeros)
    elif layout.predicts:
        payload = pack(layout, new, base, before)
        compare(layout, payload, base, before=before)
    else:
        compare(layout, pack(layout, new, base), {k: items.copy() for k, items in base.items()})
        if layout.reversible:
            compare(layout, pack(layout, new, base), new, sign=-1)


def test_what_goes_on_as_it_went_is_unpacked_from_predicted_blocks():
    layout = layout_of([2 * BLOCK_ITEMS + 70, 90], ["float32", "float32"], predicts=True)
    before, base, new = three_checkpoints(layout, np.random.default_rng(3), smooth=True)
    payload = pack(layout, new, base, before)
    assert forms_of(layout, payload) == {PREDICTED}
    assert forms_of(layout, pack(layout, new, base)) == {MAGNITUDES}
    compare(layout, payload, base, before=before)


@settings(max_examples=200, deadline=None)
@given(layouts(rounded=True) | layouts(rounded=False), st.integers(0, 2**32), st.data())
def test_a_damaged_payload_is_refused_or_unpacked_alike(layout, seed, data):
    """No byte leads a device outside of its memory: the indices of tensors are checked here."""
    choose = np.random.default_rng(seed)
    fraction, reach = data.draw(st.sampled_from(list(WAYS.values())))
    base = {kind: np.zeros(size, f"i{kind.itemsize}") for kind, size in layout.array_sizes.items()}
    new = {
        kind: moved(choose, items, fraction, min(reach, 99 if kind.itemsize == 1 else 3000))
        for kind, items in base.items()
    }
    before = layout.new_arrays_before()
    payload = bytearray(pack(layout, new, base if data.draw(st.booleans()) else None, before))
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at] = data.draw(st.sampled_from([0, 1, 255]) | st.integers(0, 255))
    own = {kind: items.copy() for kind, items in base.items()}
    own_before = before and {kind: items.copy() for kind, items in before.items()}
    with contextlib.suppress(ValueError):
        if unpack_by_tensors(layout, bytes(payload), own, 1, own_before):
            payloads.unpack(layout, [(bytes(payload), 1)], base, SERIAL, before)
            for kind, items in base.items():
                np.testing.assert_array_equal(own[kind], items)
