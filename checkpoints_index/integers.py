"""Weights as integers, so that a checkpoint can be kept as its difference to the one before.

Tensors are laid end to end in *lanes*, one flat array for each kind of integer:

- `lattice`: round(weight / step), for tensors that may be rounded (storage "visual");
- `float`:   the bits of a floating-point number, mapped so that order is kept and neighbouring
             numbers differ by one (storage "exact", and small tensors always);
- `integer`: integers and booleans as they are.

Differences wrap around, hence adding them back is exact whatever the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
import xxhash
import zstandard
from torch import Tensor

from checkpoints_index.errors import CheckpointError

Lane = tuple[Literal["lattice", "float", "integer"], int]  # kind, bytes an item
Lanes = dict[Lane, np.ndarray]  # each int [number of items of that lane]

LATTICE: Lane = ("lattice", 4)
LATTICE_LIMIT = 1 << 24  # beyond it, float32 no longer holds every integer
_INTEGER_OF_SIZE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a state dict; `step` is None where it is kept to the bit."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    step: float | None = None

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def lane(self) -> Lane:
        if self.step is not None:
            return LATTICE
        kind: Any = "float" if self.torch_dtype.is_floating_point else "integer"
        return kind, self.torch_dtype.itemsize


@dataclass(frozen=True)
class Layout:
    """Which tensors a segment holds, in which order, and how each became integers."""

    entries: tuple[TensorEntry, ...]

    @classmethod
    def of(cls, weights: Mapping[str, Tensor], steps: Mapping[str, float]) -> Layout:
        """The layout of a state dict.

        Args:
            steps: power-of-two step of each tensor that may be rounded; the others stay exact.

        Raises:
            CheckpointError: a value is not a tensor, or has a dtype that cannot be stored.
        """
        for name, tensor in weights.items():
            if not isinstance(tensor, Tensor):
                raise CheckpointError(
                    f"'{name}' in the weights is a {type(tensor).__name__}, not a tensor. "
                    "Hand over G.state_dict()."
                )
            if tensor.dtype.is_complex or tensor.dtype.itemsize not in _INTEGER_OF_SIZE:
                raise CheckpointError(
                    f"'{name}' has dtype {tensor.dtype}, which a checkpoint cannot hold. "
                    "Real floating-point, integer and boolean tensors can be."
                )
        return cls(
            tuple(
                TensorEntry(name, tuple(t.shape), str(t.dtype).split(".")[1], steps.get(name))
                for name, t in weights.items()
            )
        )

    @classmethod
    def from_json(cls, entries: list[dict[str, Any]]) -> Layout:
        return cls(tuple(TensorEntry(**{**e, "shape": tuple(e["shape"])}) for e in entries))

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.entries]

    def fits(self, weights: Mapping[str, Tensor]) -> bool:
        """Whether the weights have these names, shapes and dtypes."""
        return [(e.name, e.shape, e.torch_dtype) for e in self.entries] == [
            (name, tuple(t.shape), t.dtype) for name, t in weights.items()
        ]

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

    def empty_lanes(self) -> Lanes:
        return {lane: np.zeros(n, f"i{lane[1]}") for lane, n in self.lane_sizes.items()}

    def to_integers(self, weights: Mapping[str, Tensor]) -> Lanes:
        """Weights, on any device, as integers.

        Raises:
            OverflowError: a weight is not finite, or too large for its tensor's step.
        """
        lanes = self.empty_lanes()
        for entry in self.entries:
            lane, place = self.places[entry.name]
            flat = weights[entry.name].detach().reshape(-1)
            if entry.step is not None:
                flat = _to_lattice(flat, entry.step, entry.name)
            else:
                flat = flat.view(_INTEGER_OF_SIZE[flat.dtype.itemsize])
            lanes[lane][place] = flat.cpu().numpy()
        for lane, items in lanes.items():
            if lane[0] == "float":
                _reorder(items)
        return lanes

    def to_weights(self, lanes: Lanes) -> dict[str, Tensor]:
        """The weights that the integers stand for, as tensors of their own on the CPU."""
        restored = {}
        for lane, items in lanes.items():
            restored[lane] = items.copy()
            if lane[0] == "float":
                _reorder(restored[lane])
        weights = {}
        for entry in self.entries:
            lane, place = self.places[entry.name]
            flat = torch.from_numpy(restored[lane][place])
            flat = flat * entry.step if entry.step is not None else flat
            if entry.step is None:
                flat = flat.view(entry.torch_dtype)
            weights[entry.name] = flat.reshape(entry.shape)
        return weights


def _to_lattice(flat: Tensor, step: float, name: str) -> Tensor:
    scaled = torch.round(flat / step)
    if flat.numel() and not bool(scaled.abs().max() < LATTICE_LIMIT):  # false for NaN as well
        raise OverflowError(f"'{name}' has outgrown its step of {step:g}")
    return scaled.to(torch.int32)


def _reorder(items: np.ndarray) -> None:
    """Map the bits of floats to integers in the same order, in place; its own inverse."""
    sign_bit = 8 * items.itemsize - 1
    items ^= (items >> sign_bit) & items.dtype.type(np.iinfo(items.dtype).max)


def checksum(lanes: Lanes) -> int:
    """xxh3 of all integers of a checkpoint."""
    digest = xxhash.xxh3_64()
    for items in lanes.values():
        digest.update(items.data)
    return digest.intdigest()


def pack(lanes: Lanes, base: Lanes | None, level: int) -> bytes:
    """Compress integers, as their difference to `base` where there is one.

    Differences are small: zigzag makes them small and positive, and laying first bytes with
    first bytes, second with second puts the zeros together for zstandard.
    """
    planes = []
    for lane, items in lanes.items():
        difference = items - base[lane] if base is not None else items
        planes.append(_to_planes(_zigzag(difference)).data)
    return zstandard.ZstdCompressor(level=level).compress(b"".join(planes))


def unpack_onto(payload: bytes, lanes: Lanes) -> None:
    """Add what `pack` wrote to the integers of its base (zeros for a key), in place."""
    planes = zstandard.ZstdDecompressor().decompress(payload)
    start = 0
    for items in lanes.values():
        block = np.frombuffer(planes, np.uint8, items.nbytes, start)
        items += _unzigzag(_from_planes(block, items.itemsize))
        start += items.nbytes


def _zigzag(signed: np.ndarray) -> np.ndarray:
    """0, -1, 1, -2, 2 ... -> 0, 1, 2, 3, 4 ..."""
    return ((signed << 1) ^ (signed >> (8 * signed.itemsize - 1))).view(f"u{signed.itemsize}")


def _unzigzag(unsigned: np.ndarray) -> np.ndarray:
    signed = unsigned.view(f"i{unsigned.itemsize}")
    return (unsigned >> 1).view(signed.dtype) ^ -(signed & 1)


def _to_planes(items: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(items.view(np.uint8).reshape(-1, items.itemsize).T)


def _from_planes(planes: np.ndarray, itemsize: int) -> np.ndarray:
    items = np.ascontiguousarray(planes.reshape(itemsize, -1).T)
    return items.reshape(-1).view(f"u{itemsize}")
