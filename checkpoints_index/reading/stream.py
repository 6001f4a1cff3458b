"""Walking over checkpoints with resident modules, the next ones decoded meanwhile."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from checkpoints_index.codec.integers import Lane, Lanes, TensorLayout, copy_lanes, restore_bits
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.storage.catalogue import Catalogue

AHEAD = 2  # checkpoints that are decoded before they are asked for
MANY_CORES = 4  # beyond this, decoding may have several threads beside the forward pass


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
    """
    held = [G.state_dict() for G in resident]
    weights = Weights(device)
    cores = os.cpu_count() or 1
    reader = CheckpointReader(catalogue, threads=1 if cores <= MANY_CORES else cores // 2)
    feed = WeightFeed(reader, in_differences=device.type != "cpu")
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as decoder:
        coming: deque[Future[Decoded]] = deque()
        try:
            for position, batch in enumerate(batches):
                while len(coming) <= AHEAD and position + len(coming) < len(batches):
                    wanted = batches[position + len(coming)]
                    coming.append(decoder.submit(feed.decode, wanted))
                turn = position % len(resident)
                weights.swap(coming.popleft().result(), held[turn])
                yield batch, resident[turn]
        finally:
            for future in coming:
                future.cancel()
            reader.close()


@dataclass(frozen=True)
class Decoded:
    """A checkpoint on its way to the device: its bits, or its lattices as differences."""

    layout: TensorLayout
    bits: Lanes
    in_differences: bool


class WeightFeed:
    """Decodes one checkpoint after another into memory that is used again."""

    def __init__(self, reader: CheckpointReader, in_differences: bool) -> None:
        self._reader, self._in_differences = reader, in_differences
        self._layout: TensorLayout | None = None
        self._slots: deque[Lanes] = deque()
        self._before: Lanes = {}

    def decode(self, batch: int) -> Decoded:
        """The checkpoint of a batch; good until AHEAD + 1 more were decoded."""
        layout, lanes = self._reader.integers(batch)
        follows = layout is self._layout
        if not follows:
            self._slots = deque(layout.empty_lanes() for _ in range(AHEAD + 1))
        self._layout = layout
        bits = self._slots[0]
        self._slots.rotate(-1)
        for lane, items in lanes.items():
            np.copyto(bits[lane], items)
        restore_bits(bits)
        if not self._in_differences:
            return Decoded(layout, bits, in_differences=False)
        lattices = {lane: items.copy() for lane, items in lanes.items() if lane.kind == "lattice"}
        before, self._before = self._before, lattices
        if not follows:
            return Decoded(
                layout,
                {**bits, **copy_lanes(lattices)},
                in_differences=False,
            )
        moved = {lane: narrow(items - before[lane]) for lane, items in lattices.items()}
        return Decoded(layout, {**bits, **moved}, in_differences=True)


class Weights:
    """What was decoded last becomes weights; on a GPU its integers stay there for the next."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._lattices: dict[Lane, Tensor] = {}

    def swap(self, decoded: Decoded, weights: dict[str, Tensor]) -> None:
        """Write a checkpoint over a module's weights; their addresses stay what they are."""
        arrived = {
            lane: torch.from_numpy(items).to(self._device) for lane, items in decoded.bits.items()
        }
        if decoded.in_differences:
            for lane, lattice in self._lattices.items():
                arrived[lane] = lattice.add_(arrived[lane])
        self._lattices = {lane: t for lane, t in arrived.items() if lane.kind == "lattice"}
        decoded.layout.write_weights(arrived, weights)


def narrow(difference: np.ndarray) -> np.ndarray:
    """The same integers, in a byte each where they fit."""
    fits = difference.size == 0 or max(difference.max(), -1 - difference.min()) < 128
    return difference.astype(np.int8) if fits else difference
