"""Weights as integers, so that a checkpoint can be kept as its difference to the one before.

Tensors are laid end to end in flat arrays, one for each kind of integer:

- lattice: round(weight / step), for tensors that may be rounded (storage "visual");
- a float: its bits, mapped so that order is kept and neighbouring numbers differ by one (storage
  "exact", and small tensors always);
- integer: integers, booleans and 8-bit floats as they are.

Differences wrap around, hence adding them back is exact whatever the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import xxhash
from torch import Tensor

from checkpoints_index.codec import kernels
from checkpoints_index.codec.packing import BLOCK_ITEMS, Integers
from checkpoints_index.codec.tensor_entry import (
    INTEGER_OF_SIZE,
    IntegerKind,
    TensorEntry,
    find_peak,
    from_lattice,
)
from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.sizes import MAX_WEIGHTS

MIN_OWN_BLOCK_ITEMS = 1 << 14  # Smaller tensors share a block with their neighbours.
IntegerArrays = dict[IntegerKind, Integers]  # int8, int16, int32 or int64, each [number of items]
Place = tuple[IntegerKind, slice]  # a part of one of these arrays


@dataclass(frozen=True)
class TensorLayout:
    """Which tensors a segment holds, in which order, and how each became integers.

    Args:
        entries: the tensors in their order.
        reversible: whether differences lead from either checkpoint to the other, which costs a
            little more where every bit is kept.
        predicts: whether a difference may be one to where the last step would have led, so that
            whoever reads it needs the two checkpoints before; not with `reversible`.
        tracks: whether lattices may be told by what trackers of them miss (`codec.tracking`), which
            alone does not lead back; only with `reversible`.
    """

    entries: tuple[TensorEntry, ...]
    reversible: bool = False
    predicts: bool = False
    tracks: bool = False

    @classmethod
    def of(
        cls,
        weights: Mapping[str, Tensor],
        steps: Mapping[str, float],
        reversible: bool = False,
        predicts: bool = False,
        tracks: bool = False,
    ) -> TensorLayout:
        """The layout of a state dict.

        Args:
            weights: the state dict, on any device.
            steps: step of each tensor that may be rounded; the others stay exact.
            reversible, predicts, tracks: as in the class.

        Raises:
            CheckpointError: a tensor has a dtype that cannot be stored.
        """
        for name, tensor in weights.items():
            _refuse_unless_storable(name, tensor)
        return cls(
            tuple(
                TensorEntry(
                    name,
                    tuple(tensor.shape),
                    str(tensor.dtype).split(".")[1],
                    steps.get(name),
                    _lattice_bytes(tensor, steps[name]) if name in steps else 2,
                )
                for name, tensor in weights.items()
            ),
            reversible,
            predicts,
            tracks,
        )

    @classmethod
    def from_json(cls, description: dict[str, Any]) -> TensorLayout:
        """The layout in the header of a segment, as `to_json` described it.

        Raises:
            ValueError: it describes none, or one of more weights than any generator has.
        """
        tensors, reversible = description.get("tensors"), description.get("reversible")
        # Older segments do not say.
        predicts, tracks = (description.get(key, False) for key in ("predicts", "tracks"))
        if not isinstance(tensors, list) or not isinstance(reversible, bool):
            raise ValueError("it lists no tensors")
        if not isinstance(predicts, bool) or (predicts and reversible):
            raise ValueError("it predicts in a way that is not known")
        if not isinstance(tracks, bool) or (tracks and not reversible):
            raise ValueError("it tracks in a way that is not known")
        entries = tuple(map(TensorEntry.from_json, tensors))
        if len({entry.name for entry in entries}) < len(entries):
            raise ValueError("two tensors in it have one name")
        if (total := sum(entry.size for entry in entries)) > MAX_WEIGHTS:
            raise ValueError(f"it claims {total:,} weights, and at most {MAX_WEIGHTS:,} are read")
        return cls(entries, reversible, predicts, tracks)

    def to_json(self) -> dict[str, Any]:
        """What rebuilds the layout, of JSON's types."""
        return {
            "tensors": [asdict(e) for e in self.entries],
            "reversible": self.reversible,
            "predicts": self.predicts,
            "tracks": self.tracks,
        }

    def fits(self, weights: Mapping[str, Tensor]) -> bool:
        """Whether the weights have these names, shapes and dtypes, in this order."""
        return [(e.name, e.shape, e.torch_dtype) for e in self.entries] == [
            (name, tuple(tensor.shape), tensor.dtype) for name, tensor in weights.items()
        ]

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of the weights as they are."""
        return sum(entry.size * entry.torch_dtype.itemsize for entry in self.entries)

    @cached_property
    def integers_bytes(self) -> int:
        """Bytes of the integers of one checkpoint."""
        return sum(kind.itemsize * count for kind, count in self.array_sizes.items())

    @cached_property
    def places(self) -> dict[str, Place]:
        """Where each tensor lies, by its name."""
        ends: dict[IntegerKind, int] = {}
        places = {}
        for entry in self.entries:
            start = ends.get(entry.kind, 0)
            ends[entry.kind] = start + entry.size
            places[entry.name] = entry.kind, slice(start, ends[entry.kind])
        return places

    @cached_property
    def array_sizes(self) -> dict[IntegerKind, int]:
        """Number of items of each array, in a fixed order."""
        sizes: dict[IntegerKind, int] = {}
        for kind, part in self.places.values():
            sizes[kind] = max(sizes.get(kind, 0), part.stop)
        return dict(sorted(sizes.items()))

    @cached_property
    def blocks(self) -> list[Place]:
        """What is packed on its own: a part of a large tensor, or several small ones."""
        return [
            (kind, block)
            for kind in self.array_sizes
            for part in _join_small([p for own, p in self.places.values() if own == kind])
            for block in _cut(part)
        ]

    @cached_property
    def _block_parts(self) -> list[list[tuple[TensorEntry, slice, slice]]]:
        """The tensors in each block: which part of each, and where in the block it lies."""
        parts = []
        for kind, block in self.blocks:
            inside = []
            for entry in self.entries:
                own, place = self.places[entry.name]
                start, stop = max(block.start, place.start), min(block.stop, place.stop)
                if own == kind and start < stop:
                    of_tensor = slice(start - place.start, stop - place.start)
                    inside.append(
                        (entry, of_tensor, slice(start - block.start, stop - block.start))
                    )
            parts.append(inside)
        return parts

    def new_arrays(self) -> IntegerArrays:
        """The integers of a checkpoint, all zero."""
        return {kind: np.zeros(n, f"i{kind.itemsize}") for kind, n in self.array_sizes.items()}

    def new_arrays_before(self) -> IntegerArrays | None:
        """Zeros for the checkpoint before one, as they are before a key; None if not predicting."""
        return self.new_arrays() if self.predicts else None

    def to_integers(self, weights: Mapping[str, Tensor], arrays: IntegerArrays) -> None:
        """Write weights as integers.

        Args:
            weights: a state dict that the layout fits, on the CPU.
            arrays: as `new_arrays` gives them; written.

        Raises:
            OverflowError: a weight is not finite, or too large for its tensor's step.
        """
        for entry in self.entries:
            kind, part = self.places[entry.name]
            _write_integers(weights[entry.name].detach().reshape(-1), entry, arrays[kind][part])

    def block_to_integers(self, flat: Mapping[str, Tensor], position: int, items: Integers) -> None:
        """Write the weights of one block as integers.

        Args:
            flat: the tensors of a state dict that the layout fits, each [number of weights], on the
                CPU.
            position: that of the block in `blocks`.
            items: integers [N] of the block's kind, written.

        Raises:
            OverflowError: as `to_integers`.
        """
        for entry, own, part in self._block_parts[position]:
            _write_integers(flat[entry.name][own], entry, items[part])

    def require_fit(self, weights: Mapping[str, Tensor]) -> None:
        """Refuse, before anything is written, what `to_integers` refuses.

        Raises:
            OverflowError: a weight is not finite, or too large for its tensor's step.
        """
        for entry in self.entries:
            if entry.step is not None:
                scaled = np.float32(find_peak(weights[entry.name])) * np.float32(1 / entry.step)
                if not scaled <= kernels.LATTICE_LIMIT[entry.lattice_bytes]:
                    raise OverflowError(_describe_overflow(entry))

    def to_weights(self, arrays: IntegerArrays) -> dict[str, Tensor]:
        """The weights that integers stand for, as tensors of their own on the CPU."""
        weights = {e.name: torch.empty(e.shape, dtype=e.torch_dtype) for e in self.entries}
        bits = {kind: i.copy() if kind.is_float else i for kind, i in arrays.items()}
        restore_bits(bits)
        self.write_weights({kind: torch.from_numpy(items) for kind, items in bits.items()}, weights)
        return weights

    def to_weight(self, entry: TensorEntry, arrays: IntegerArrays) -> Tensor:
        """One tensor [...] of those that integers stand for, on the CPU."""
        kind, part = self.places[entry.name]
        items = arrays[kind][part]
        bits = {kind: items.copy() if kind.is_float else items}
        restore_bits(bits)
        weight = torch.empty(entry.shape, dtype=entry.torch_dtype)
        _write_weight(torch.from_numpy(bits[kind]).reshape(entry.shape), entry, weight)
        return weight

    def write_weights(
        self, bits: Mapping[IntegerKind, Tensor], weights: Mapping[str, Tensor]
    ) -> None:
        """Write what integers stand for over weights, in place.

        Args:
            bits: each [number of items]; those of floats as `restore_bits` leaves them.
            weights: tensors of this layout on the same device, in any memory format; written.
        """
        for entry in self.entries:
            kind, part = self.places[entry.name]
            _write_weight(bits[kind][part].reshape(entry.shape), entry, weights[entry.name])


def _write_weight(items: Tensor, entry: TensorEntry, weight: Tensor) -> None:
    """Write what integers, bits or those of a lattice, stand for over a tensor of their shape."""
    if entry.step is None:
        weight.copy_(items.view(entry.torch_dtype))
    elif weight.dtype == torch.float32 and weight.device.type == "cpu":
        _scale(items.numpy(), np.float32(entry.step), weight.detach())
    elif weight.dtype == torch.float32:
        torch.mul(items, entry.step, out=weight)
    else:
        weight.copy_(from_lattice(items.float(), entry.step, entry.torch_dtype))


def _scale(items: Integers, step: np.float32, weight: Tensor) -> None:
    """Write items times step into a weight of the same shape, as it lies in memory."""
    if weight.is_contiguous():
        kernels.scale(items.reshape(-1), step, weight.view(-1).numpy())
    elif weight.is_contiguous(memory_format=torch.channels_last):
        pixels_first = weight.permute(0, 2, 3, 1).flatten(1, 2).numpy()  # [NKC]
        kernels.scale_channels_last(items.reshape(*items.shape[:2], -1), step, pixels_first)
    else:
        weight.copy_(torch.from_numpy(items * step))


def restore_bits(arrays: IntegerArrays) -> None:
    """Turn the integers of floats into their bits again, in place."""
    for kind, items in arrays.items():
        if kind.is_float:
            kernels.order(items, np.iinfo(items.dtype).max)


def copy_arrays(arrays: IntegerArrays) -> IntegerArrays:
    """The same integers in memory of their own."""
    return {kind: items.copy() for kind, items in arrays.items()}


def checksum(arrays: IntegerArrays) -> int:
    """xxh3 (64 bits) of all integers of a checkpoint."""
    digest = xxhash.xxh3_64()
    for items in arrays.values():
        digest.update(items.data)
    return digest.intdigest()


def _refuse_unless_storable(name: str, tensor: Tensor) -> None:
    if tensor.dtype.is_complex or tensor.dtype.itemsize not in INTEGER_OF_SIZE:
        raise CheckpointError(
            f"'{name}' has dtype {tensor.dtype}, which a checkpoint cannot hold. "
            "Real floating-point, integer and boolean tensors can be."
        )


def _lattice_bytes(tensor: Tensor, step: float) -> int:
    """Two bytes where the weights may double before they outgrow them, else four."""
    return 2 if 2 * find_peak(tensor) <= kernels.LATTICE_LIMIT[2] * step else 4


def _write_integers(flat: Tensor, entry: TensorEntry, items: Integers) -> None:
    """Write weights [N] of one tensor as integers [N]; raises as `TensorLayout.to_integers`."""
    if entry.step is None:
        items[:] = flat.view(INTEGER_OF_SIZE[flat.dtype.itemsize]).numpy()
        if entry.kind.is_float:
            kernels.order(items, np.iinfo(items.dtype).max)
        return
    limit = np.float32(kernels.LATTICE_LIMIT[items.itemsize])
    if not kernels.quantise(flat.float().numpy(), np.float32(1 / entry.step), limit, items):
        raise OverflowError(_describe_overflow(entry))


def _describe_overflow(entry: TensorEntry) -> str:
    return f"'{entry.name}' has outgrown its step of {entry.step:g}"


def _join_small(parts: list[slice]) -> Iterator[slice]:
    """Neighbouring small tensors as one part, large ones alone."""
    joined: slice | None = None
    for part in parts:
        small = part.stop - part.start < MIN_OWN_BLOCK_ITEMS
        if small and joined is not None and part.stop - joined.start <= BLOCK_ITEMS:
            joined = slice(joined.start, part.stop)
            continue
        if joined is not None:
            yield joined
        joined = part if small else None
        if not small:
            yield part
    if joined is not None:
        yield joined


def _cut(part: slice) -> Iterator[slice]:
    for start in range(part.start, part.stop, BLOCK_ITEMS):
        yield slice(start, min(start + BLOCK_ITEMS, part.stop))
