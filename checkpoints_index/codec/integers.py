"""Weights as integers, so that a checkpoint can be kept as its difference to the one before.

Tensors are laid end to end in *lanes*, one flat array for each kind of integer:

- `lattice`: round(weight / step), for tensors that may be rounded (storage "visual");
- a float:   its bits, mapped so that order is kept and neighbouring numbers differ by one
             (storage "exact", and small tensors always);
- `integer`: integers, booleans and 8-bit floats as they are.

Differences wrap around, hence adding them back is exact whatever the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
import xxhash
from torch import Tensor

from checkpoints_index.codec import kernels
from checkpoints_index.codec.packing import BLOCK_ITEMS, Exponent
from checkpoints_index.errors import CheckpointError

SHARED_BLOCK_ITEMS = 1 << 14  # tensors below this share a block with their neighbours
_INTEGER_OF_SIZE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_EXPONENTS: dict[str, Exponent | None] = {
    "lattice": None,
    "float16": (10, 0x1F),
    "bfloat16": (7, 0xFF),
    "float32": (23, 0xFF),
    "float64": (52, 0x7FF),
    "integer": (0, 0),
}


class Lane(NamedTuple):
    """A kind of integers, and how many bytes each of them takes."""

    kind: str
    itemsize: int

    @property
    def is_float(self) -> bool:
        return self.kind not in ("lattice", "integer")

    def exponent(self, reversible: bool) -> Exponent | None:
        """Where in its base a block finds how long its differences are likely to be.

        None for a lattice; nowhere for integers, nor where differences must lead back as well,
        to a base that is not known yet.
        """
        exponent = _EXPONENTS[self.kind]
        return (0, 0) if exponent is not None and reversible else exponent


Lanes = dict[Lane, np.ndarray]  # each int [number of items of that lane]


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a state dict.

    `step` is what it is rounded to multiples of, None where it is kept to the bit; `lattice_bytes`
    is the size of the integers that count the steps.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    step: float | None = None
    lattice_bytes: int = 2

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def lane(self) -> Lane:
        if self.step is not None:
            return Lane("lattice", self.lattice_bytes)
        kind = self.dtype if self.dtype in _EXPONENTS else "integer"
        return Lane(kind, self.torch_dtype.itemsize)


@dataclass(frozen=True)
class TensorLayout:
    """Which tensors a segment holds, in which order, and how each became integers.

    `reversible` differences lead from either checkpoint to the other, and cost a little more where
    weights are kept to the bit.
    """

    entries: tuple[TensorEntry, ...]
    reversible: bool = False

    @classmethod
    def of(
        cls, weights: Mapping[str, Tensor], steps: Mapping[str, float], reversible: bool = False
    ) -> TensorLayout:
        """The layout of a state dict.

        Args:
            steps: step of each tensor that may be rounded; the others stay exact.

        Raises:
            CheckpointError: a tensor has a dtype that cannot be stored.
        """
        for name, tensor in weights.items():
            _refuse_unless_storable(name, tensor)
        return cls(
            tuple(
                TensorEntry(
                    name,
                    tuple(t.shape),
                    str(t.dtype).split(".")[1],
                    steps.get(name),
                    _lattice_bytes(t, steps[name]) if name in steps else 2,
                )
                for name, t in weights.items()
            ),
            reversible,
        )

    @classmethod
    def from_json(cls, description: dict[str, Any]) -> TensorLayout:
        entries = (TensorEntry(**{**e, "shape": tuple(e["shape"])}) for e in description["tensors"])
        return cls(tuple(entries), description["reversible"])

    def to_json(self) -> dict[str, Any]:
        return {"tensors": [asdict(e) for e in self.entries], "reversible": self.reversible}

    def fits(self, weights: Mapping[str, Tensor]) -> bool:
        """Whether the weights have these names, shapes and dtypes."""
        return [(e.name, e.shape, e.torch_dtype) for e in self.entries] == [
            (name, tuple(t.shape), t.dtype) for name, t in weights.items()
        ]

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of the weights as they are."""
        return sum(entry.size * entry.torch_dtype.itemsize for entry in self.entries)

    @cached_property
    def places(self) -> dict[str, tuple[Lane, slice]]:
        """Where each tensor lies in its lane."""
        ends: dict[Lane, int] = {}
        places = {}
        for entry in self.entries:
            start = ends.get(entry.lane, 0)
            ends[entry.lane] = start + entry.size
            places[entry.name] = entry.lane, slice(start, ends[entry.lane])
        return places

    @cached_property
    def lane_sizes(self) -> dict[Lane, int]:
        """Number of items of each lane, in a fixed order."""
        sizes: dict[Lane, int] = {}
        for lane, place in self.places.values():
            sizes[lane] = max(sizes.get(lane, 0), place.stop)
        return dict(sorted(sizes.items()))

    @cached_property
    def blocks(self) -> list[tuple[Lane, slice]]:
        """What is packed on its own: a part of a large tensor, or several small ones."""
        return [
            (lane, block)
            for lane in self.lane_sizes
            for place in _join_small([p for own, p in self.places.values() if own == lane])
            for block in _cut(place)
        ]

    def empty_lanes(self) -> Lanes:
        return {lane: np.zeros(n, f"i{lane.itemsize}") for lane, n in self.lane_sizes.items()}

    def to_integers(self, weights: Mapping[str, Tensor], lanes: Lanes) -> None:
        """Write weights, on the CPU, as integers.

        Raises:
            OverflowError: a weight is not finite, or too large for its tensor's step.
        """
        for entry in self.entries:
            lane, place = self.places[entry.name]
            flat = weights[entry.name].detach().reshape(-1)
            items = lanes[lane][place]
            if entry.step is not None:
                _quantise(flat.float().numpy(), entry, items)
            else:
                items[:] = flat.view(_INTEGER_OF_SIZE[flat.dtype.itemsize]).numpy()
                if lane.is_float:
                    kernels.order(items, np.iinfo(items.dtype).max)

    def to_weights(self, lanes: Lanes) -> dict[str, Tensor]:
        """The weights that the integers stand for, as tensors of their own on the CPU."""
        weights = {e.name: torch.empty(e.shape, dtype=e.torch_dtype) for e in self.entries}
        bits = {lane: i.copy() if lane.is_float else i for lane, i in lanes.items()}
        restore_bits(bits)
        self.write_weights({lane: torch.from_numpy(items) for lane, items in bits.items()}, weights)
        return weights

    def write_weights(self, bits: Mapping[Lane, Tensor], weights: Mapping[str, Tensor]) -> None:
        """Write what restored integers stand for over weights on the same device, in place."""
        for entry in self.entries:
            lane, place = self.places[entry.name]
            flat, weight = bits[lane][place], weights[entry.name]
            items = flat.reshape(entry.shape)
            if entry.step is None:
                weight.copy_(items.view(entry.torch_dtype))
            elif weight.dtype == torch.float32 and weight.device.type == "cpu":
                _scale(items.numpy(), np.float32(entry.step), weight.detach())
            elif weight.dtype == torch.float32:
                torch.mul(items, entry.step, out=weight)
            else:
                weight.copy_((items.float() * entry.step).to(entry.torch_dtype))


def _scale(items: np.ndarray, step: np.float32, weight: Tensor) -> None:
    """Write items times step into a weight of the same shape, as it lies in memory."""
    if weight.is_contiguous():
        kernels.scale(items.reshape(-1), step, weight.view(-1).numpy())
    elif weight.is_contiguous(memory_format=torch.channels_last):
        pixels_first = weight.permute(0, 2, 3, 1).flatten(1, 2).numpy()  # [NKC]
        kernels.scale_channels_last(items.reshape(*items.shape[:2], -1), step, pixels_first)
    else:
        weight.copy_(torch.from_numpy(items * step))


def restore_bits(lanes: Lanes) -> None:
    """Turn the integers of floats into their bits again, in place."""
    for lane, items in lanes.items():
        if lane.is_float:
            kernels.order(items, np.iinfo(items.dtype).max)


def copy_lanes(lanes: Lanes) -> Lanes:
    """The same integers in memory of their own."""
    return {lane: items.copy() for lane, items in lanes.items()}


def checksum(lanes: Lanes) -> int:
    """xxh3 of all integers of a checkpoint."""
    digest = xxhash.xxh3_64()
    for items in lanes.values():
        digest.update(items.data)
    return digest.intdigest()


def _refuse_unless_storable(name: str, tensor: Tensor) -> None:
    if tensor.dtype.is_complex or tensor.dtype.itemsize not in _INTEGER_OF_SIZE:
        raise CheckpointError(
            f"'{name}' has dtype {tensor.dtype}, which a checkpoint cannot hold. "
            "Real floating-point, integer and boolean tensors can be."
        )


def _lattice_bytes(tensor: Tensor, step: float) -> int:
    """Two bytes where the weights may double before they outgrow them."""
    return 2 if 2 * float(tensor.detach().abs().max()) <= kernels.LATTICE_LIMIT[2] * step else 4


def _quantise(flat: np.ndarray, entry: TensorEntry, items: np.ndarray) -> None:
    assert entry.step is not None
    limit = np.float32(kernels.LATTICE_LIMIT[items.itemsize])
    if not kernels.quantise(flat, np.float32(1 / entry.step), limit, items):
        raise OverflowError(f"'{entry.name}' has outgrown its step of {entry.step:g}")


def _join_small(places: list[slice]) -> Iterator[slice]:
    """Neighbouring small tensors as one place, large ones alone."""
    joined: slice | None = None
    for place in places:
        small = place.stop - place.start < SHARED_BLOCK_ITEMS
        if small and joined is not None and place.stop - joined.start <= BLOCK_ITEMS:
            joined = slice(joined.start, place.stop)
            continue
        if joined is not None:
            yield joined
        joined = place if small else None
        if not small:
            yield place
    if joined is not None:
        yield joined


def _cut(place: slice) -> Iterator[slice]:
    for start in range(place.start, place.stop, BLOCK_ITEMS):
        yield slice(start, min(start + BLOCK_ITEMS, place.stop))
