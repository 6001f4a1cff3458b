"""Streaming checkpoints into resident modules, while the next ones are decoded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from checkpoints_index.codec.integers import (
    IntegerArrays,
    IntegerKind,
    TensorLayout,
    copy_arrays,
    restore_bits,
)
from checkpoints_index.codec.packing import Integers
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.storage.catalogue import Catalogue

PREFETCH = 2  # So many checkpoints are decoded before they are asked for.
MANY_CORES = 4  # With more cores, decoding may have several threads beside the forward pass.


def stream(
    catalogue: Catalogue,
    batches: Sequence[int],
    device: torch.device,
    resident: Sequence[nn.Module],
) -> Iterator[tuple[int, nn.Module]]:
    """Yield each batch with one of the resident modules, whose weights are swapped in place.

    The modules take turns, so that one may still be at work when the next is asked for. On a
    GPU the lattices stay there as integers; what crosses the bus is their small difference to the
    checkpoint before, and it is added there.

    Args:
        catalogue: that of the run, used by nobody else.
        batches: those that are wanted, in any order.
        device: that of the modules.
        resident: at least one module that takes the run's weights.

    Raises:
        UnknownBatchError: a checkpoint is not there, or no longer.
        DamagedCheckpointError: one cannot be read back as it was written.
    """
    state_dicts = [G.state_dict() for G in resident]
    swapper = WeightSwapper(device)
    cores = os.cpu_count() or 1
    reader = CheckpointReader(catalogue, threads=1 if cores <= MANY_CORES else cores // 2)
    fitting: TensorLayout | None = None  # A layout that the modules take.
    feed = WeightFeed(reader, in_differences=device.type != "cpu")
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as decoder:
        coming: deque[Future[DecodedCheckpoint]] = deque()
        try:
            for position, batch in enumerate(batches):
                while len(coming) <= PREFETCH and position + len(coming) < len(batches):
                    wanted = batches[position + len(coming)]
                    coming.append(decoder.submit(feed.decode, wanted))
                turn = position % len(resident)
                decoded = coming.popleft().result()
                if decoded.layout is not fitting:
                    reader.require_fit(batch, state_dicts[turn])
                    fitting = decoded.layout
                swapper.swap(decoded, state_dicts[turn])
                yield batch, resident[turn]
        finally:
            for future in coming:
                future.cancel()
            reader.close()


@dataclass(frozen=True)
class DecodedCheckpoint:
    """A checkpoint on its way to the device.

    Args:
        layout: how its tensors lie in the arrays.
        bits: the bits of floats, integers as they are, and lattices.
        in_differences: whether the lattices are differences to the checkpoint before.
    """

    layout: TensorLayout
    bits: IntegerArrays
    in_differences: bool


class WeightFeed:
    """Decodes one checkpoint after another into memory that is used again.

    Args:
        reader: decodes them.
        in_differences: whether lattices may be given as differences to the checkpoint before.
    """

    def __init__(self, reader: CheckpointReader, in_differences: bool) -> None:
        self._reader, self._in_differences = reader, in_differences
        self._layout: TensorLayout | None = None
        self._slots: deque[IntegerArrays] = deque()
        self._lattices_before: IntegerArrays = {}

    def decode(self, batch: int) -> DecodedCheckpoint:
        """The checkpoint of a batch; good until PREFETCH + 1 more were decoded.

        Raises:
            UnknownBatchError: it is not there.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        layout, arrays = self._reader.integers(batch)
        follows = layout is self._layout
        if not follows:
            self._slots = deque(layout.new_arrays() for _ in range(PREFETCH + 1))
        self._layout = layout
        bits = self._slots[0]
        self._slots.rotate(-1)
        for kind, items in arrays.items():
            np.copyto(bits[kind], items)
        restore_bits(bits)
        if not self._in_differences:
            return DecodedCheckpoint(layout, bits, in_differences=False)
        lattices = {k: items.copy() for k, items in arrays.items() if k.origin == "lattice"}
        before, self._lattices_before = self._lattices_before, lattices
        if not follows:
            whole = {**bits, **copy_arrays(lattices)}
            return DecodedCheckpoint(layout, whole, in_differences=False)
        moved = {kind: narrow(items - before[kind]) for kind, items in lattices.items()}
        return DecodedCheckpoint(layout, {**bits, **moved}, in_differences=True)


class WeightSwapper:
    """Writes decoded checkpoints over a module's weights; on a GPU, lattices stay for the next.

    Args:
        device: that of the modules.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._lattices: dict[IntegerKind, Tensor] = {}

    def swap(self, decoded: DecodedCheckpoint, weights: dict[str, Tensor]) -> None:
        """Write a checkpoint over a state dict; the addresses of its tensors stay what they are.

        Args:
            decoded: the checkpoint; where it is in differences, to the one that came before.
            weights: a module's state dict on the device; written.
        """
        arrived = {
            kind: torch.from_numpy(items).to(self._device) for kind, items in decoded.bits.items()
        }
        if decoded.in_differences:
            for kind, lattice in self._lattices.items():
                arrived[kind] = lattice.add_(arrived[kind])
        self._lattices = {kind: t for kind, t in arrived.items() if kind.origin == "lattice"}
        decoded.layout.write_weights(arrived, weights)


def narrow(difference: Integers) -> Integers:
    """The same integers [N], as int8 where all of them fit."""
    fits = difference.size == 0 or max(difference.max(), -1 - difference.min()) < 128
    return difference.astype(np.int8) if fits else difference
