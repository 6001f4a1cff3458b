"""State dicts as integers and payloads, and back: any shapes, dtypes and orders."""

import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints_index.codec import integers, payloads
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.packing import BlockPacker
from checkpoints_index.codec.record_chain import RecordChain
from checkpoints_index.codec.thread_pool import SERIAL
from checkpoints_index.errors import CheckpointError
from checkpoints_index.storage import segments

DTYPES = [
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool),
]
SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)
LAYOUTS = st.lists(st.tuples(SHAPES, st.sampled_from(DTYPES)), min_size=1, max_size=6)
SOME = settings(max_examples=50, deadline=None)


def random_weights(layout, seed):
    """Tensors of these shapes and dtypes, of random bits: infinities and NaNs are among them."""
    choose = np.random.default_rng(seed)
    weights = {}
    for position, (shape, dtype) in enumerate(layout):
        count = int(np.prod(shape, dtype=np.int64))
        bits = torch.from_numpy(choose.integers(0, 256, count * dtype.itemsize, np.uint8))
        if dtype == torch.bool:
            tensor = bits.remainder(2).bool()
        else:
            tensor = torch.empty(count, dtype=dtype)
            tensor.view(torch.uint8).copy_(bits)
        weights[f"layer.{position}"] = tensor.reshape(shape)
    return weights


def moved_slightly(weights, seed):
    """A part of the bytes changed, as by a step of an optimiser."""
    choose = np.random.default_rng(seed)
    moved = {}
    for name, tensor in weights.items():
        if tensor.dtype == torch.bool:
            moved[name] = tensor ^ torch.from_numpy(
                np.asarray(choose.random(tuple(tensor.shape)) < 0.3)
            )
            continue
        moved[name] = tensor.clone()
        content = moved[name].view(-1).view(torch.uint8)
        content ^= torch.from_numpy((choose.random(len(content)) < 0.2).astype(np.uint8))
    return moved


def same_bits(a, b):
    pairs = ((a[name].contiguous(), b[name].contiguous()) for name in a)
    return list(a) == list(b) and all(
        x.dtype == y.dtype
        and x.shape == y.shape
        and torch.equal(x.view(-1).view(torch.uint8), y.view(-1).view(torch.uint8))
        for x, y in pairs
    )


def as_integers(layout, weights):
    arrays = layout.new_arrays()
    layout.to_integers(weights, arrays)
    return arrays


@SOME
@given(LAYOUTS, st.integers(0, 2**32), st.booleans())
def test_exact_integers_give_back_every_bit(layout, seed, reversible):
    weights = random_weights(layout, seed)
    described = TensorLayout.of(weights, {}, reversible)
    described = TensorLayout.from_json(described.to_json())
    assert described.fits(weights)
    assert described.size_bytes == sum(tensor.nbytes for tensor in weights.values())
    assert same_bits(described.to_weights(as_integers(described, weights)), weights)


@SOME
@given(LAYOUTS, st.integers(0, 2**32), st.booleans())
def test_a_chain_of_payloads_leads_there_and_reversible_ones_back(layout, seed, reversible):
    states = [random_weights(layout, seed)]
    states += [moved_slightly(states[0], seed + 1), random_weights(layout, seed + 2)]
    described = TensorLayout.of(states[0], {}, reversible)
    kept = [as_integers(described, weights) for weights in states]
    bases = [None, *kept[:-1]]
    packed = [
        payloads.pack(described, new, base, [BlockPacker()], SERIAL)
        for new, base in zip(kept, bases, strict=True)
    ]
    arrays = described.new_arrays()
    payloads.unpack(described, [(payload, 1) for payload in packed], arrays)
    assert integers.checksum(arrays) == integers.checksum(kept[2])
    assert same_bits(described.to_weights(arrays), states[2])
    if reversible:
        payloads.unpack(described, [(packed[2], -1), (packed[1], -1)], arrays)
        assert same_bits(described.to_weights(arrays), states[0])


@SOME
@given(
    st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=40),
    st.integers(8, 15),
    st.integers(-14, -6),
    st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
)
def test_rounded_weights_are_at_most_half_a_step_away(values, mantissa, exponent, dtype):
    weights = {"w": torch.tensor(values).to(dtype)}
    step = mantissa * 2.0**exponent
    described = TensorLayout.of(weights, {"w": step}, reversible=True)
    decoded = described.to_weights(as_integers(described, weights))["w"]
    assert decoded.dtype == dtype
    exact = weights["w"].double()
    # Half a step, and what 1 / step and the product lose as float32: of two multiples that are
    # equally near either is right.
    bound = step / 2 + exact.abs() * 2.0**-22
    multiples = [torch.floor(exact / step) * step, torch.ceil(exact / step) * step]
    nearest = [
        (multiple.to(dtype) == decoded) & ((multiple - exact).abs() <= bound)
        for multiple in multiples
    ]
    assert (nearest[0] | nearest[1]).all()


@pytest.mark.parametrize("value", [2.693359375, -2.693359375, 0.5 * 14 * 2.0**-9])
def test_a_weight_in_the_middle_of_two_multiples_is_rounded_to_either(value):
    step = 14 * 2.0**-9
    weights = {"w": torch.tensor([value])}
    described = TensorLayout.of(weights, {"w": step}, reversible=True)
    decoded = described.to_weights(as_integers(described, weights))["w"]
    assert abs(float(decoded) - value) == step / 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e6])
def test_weights_that_no_lattice_holds_overflow(value):
    weights = {"w": torch.tensor([0.5, -0.25])}
    described = TensorLayout.of(weights, {"w": 2.0**-8})
    with pytest.raises(OverflowError, match="'w' has outgrown its step"):
        as_integers(described, {"w": torch.tensor([0.5, value])})


def test_a_dtype_that_cannot_be_stored_is_refused_by_name():
    with pytest.raises(CheckpointError, match=r"'w' has dtype torch\.complex64"):
        TensorLayout.of({"w": torch.zeros(2, dtype=torch.complex64)}, {})


@SOME
@given(LAYOUTS, st.integers(0, 2**32), st.binary(max_size=40), st.data())
def test_bytes_that_are_no_payload_raise_value_errors_alone(layout, seed, noise, data):
    weights = random_weights(layout, seed)
    described = TensorLayout.of(weights, {})
    payload = bytearray(
        payloads.pack(described, as_integers(described, weights), None, [BlockPacker()], SERIAL)
    )
    if payload:
        start = data.draw(st.integers(0, len(payload) - 1))
        payload[start : start + len(noise)] = noise
    with contextlib.suppress(ValueError):
        payloads.unpack(described, [(bytes(payload), 1)], described.new_arrays())


@SOME
@given(st.integers(1, 120), st.booleans())
def test_the_records_of_a_chain_are_keys_deltas_and_skip_deltas_where_they_are_due(
    length, reversible
):
    weights = {"w": torch.arange(6.0)}
    chain = RecordChain(TensorLayout.of(weights, {}, reversible))
    kinds = []
    for batch in range(length):
        chain.layout.to_integers({"w": weights["w"] + batch}, chain.spare)
        records = chain.encode_spare(batch)
        assert {record.batch for record in records} == {batch}
        kinds += [record.kind for record in records]
    assert kinds.count(segments.KEY) == (1 if reversible else -(-length // 32))
    assert kinds.count(segments.SKIP_DELTA) == ((length - 1) // 48 if reversible else 0)
    assert kinds.count(segments.KEY) + kinds.count(segments.DELTA) == length
