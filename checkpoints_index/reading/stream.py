"""Streaming checkpoints into resident modules, while the next ones are decoded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from checkpoints_index.codec.integers import IntegerArrays, TensorLayout, restore_bits
from checkpoints_index.codec.thread_pool import ThreadPool
from checkpoints_index.reading.device_feed import DeviceFeed
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.reading.resident_integers import ResidentIntegers
from checkpoints_index.reading.transfers import DeviceStreams
from checkpoints_index.storage.catalogue import Catalogue

PREFETCH = 2  # So many checkpoints are decoded before they are asked for.
MANY_CORES = 4  # With more cores, decoding may have several threads beside the forward pass.
MAX_STAGING_THREADS = 4  # More would wait for the interpreter's lock between two blocks.


class Decoded(Protocol):
    """A checkpoint that was decoded, as far as decoding goes on the CPU."""

    @property
    def layout(self) -> TensorLayout:
        """How its tensors lie in the integers."""
        ...


AnyDecoded = TypeVar("AnyDecoded", bound=Decoded)


def stream(
    catalogue: Catalogue,
    batches: Sequence[int],
    device: torch.device,
    resident: Sequence[nn.Module],
    unpack_on_device: bool | None = None,
) -> Iterator[tuple[int, nn.Module]]:
    """Yield each batch with one of the resident modules, whose weights are swapped in place.

    The modules take turns, so that one may still be at work when the next is asked for. On a
    GPU the integers stay there; what crosses the bus is what lay on the disk, without the entropy
    coding of zstandard, and it is unpacked and added there, beside whatever runs on a stream
    other than the caller's own.

    Args:
        catalogue: that of the run, used by nobody else.
        batches: those that are wanted, in any order.
        device: that of the modules.
        resident: at least one module that takes the run's weights.
        unpack_on_device: whether tensor operations unpack on the device. By default a GPU does so;
            on the CPU, the kernels are faster.

    Raises:
        UnknownBatchError: a checkpoint is not there, or no longer.
        DamagedCheckpointError: one cannot be read back as it was written.
    """
    cores = os.cpu_count() or 1
    threads = 1 if cores <= MANY_CORES else cores // 2
    reader = CheckpointReader(catalogue, threads=threads)
    staging = ThreadPool(min(threads, MAX_STAGING_THREADS), "stage")
    try:
        if device.type == "cuda" if unpack_on_device is None else unpack_on_device:
            streams = DeviceStreams(device)
            feed = DeviceFeed(reader, streams, PREFETCH + 1, staging)
            swap = ResidentIntegers(catalogue.run, streams).swap
            yield from _swap_in_order(reader, batches, resident, feed.decode, swap)
        else:
            decode = WeightFeed(reader).decode
            yield from _swap_in_order(reader, batches, resident, decode, WeightSwapper(device).swap)
    finally:
        reader.close()
        staging.close()


def _swap_in_order(
    reader: CheckpointReader,
    batches: Sequence[int],
    resident: Sequence[nn.Module],
    decode: Callable[[int], AnyDecoded],
    swap: Callable[[AnyDecoded, dict[str, Tensor], bool], None],
) -> Iterator[tuple[int, nn.Module]]:
    """Decode ahead on a thread, and write each checkpoint over the module whose turn it is.

    Args:
        decode: batch -> what is good until PREFETCH + 1 more were decoded.
        swap: writes it over a state dict; is told as well whether it is the last one.
    """
    state_dicts = [G.state_dict() for G in resident]
    fitting: TensorLayout | None = None  # A layout that the modules take.
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as decoder:
        coming: deque[Future[AnyDecoded]] = deque()
        try:
            for position, batch in enumerate(batches):
                while len(coming) <= PREFETCH and position + len(coming) < len(batches):
                    wanted = batches[position + len(coming)]
                    coming.append(decoder.submit(decode, wanted))
                turn = position % len(resident)
                decoded = coming.popleft().result()
                if decoded.layout is not fitting:
                    reader.require_fit(batch, state_dicts[turn])
                    fitting = decoded.layout
                swap(decoded, state_dicts[turn], position + 1 == len(batches))
                yield batch, resident[turn]
        finally:
            for future in coming:
                future.cancel()


class DecodedCheckpoint(NamedTuple):
    """A checkpoint that the CPU has decoded.

    Attributes:
        layout: how its tensors lie in the arrays.
        bits: the bits of floats, integers as they are, and lattices.
    """

    layout: TensorLayout
    bits: IntegerArrays


class WeightFeed:
    """Decodes one checkpoint after another on the CPU, into memory that is used again.

    Args:
        reader: decodes them.
    """

    def __init__(self, reader: CheckpointReader) -> None:
        self._reader = reader
        self._layout: TensorLayout | None = None
        self._slots: deque[IntegerArrays] = deque()

    def decode(self, batch: int) -> DecodedCheckpoint:
        """The checkpoint of a batch; good until PREFETCH + 1 more were decoded.

        Raises:
            UnknownBatchError: it is not there.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        layout, arrays = self._reader.integers(batch)
        if layout is not self._layout:
            self._slots = deque(layout.new_arrays() for _ in range(PREFETCH + 1))
        self._layout = layout
        bits = self._slots[0]
        self._slots.rotate(-1)
        for kind, items in arrays.items():
            np.copyto(bits[kind], items)
        restore_bits(bits)
        return DecodedCheckpoint(layout, bits)


class WeightSwapper:
    """Writes decoded checkpoints over a module's weights.

    Args:
        device: that of the modules.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def swap(
        self, decoded: DecodedCheckpoint, weights: dict[str, Tensor], is_last: bool = False
    ) -> None:
        """Write a checkpoint over a state dict; the addresses of its tensors stay what they are.

        Args:
            decoded: the checkpoint.
            weights: a module's state dict on the device; written.
            is_last: whether no other follows.
        """
        bits = {k: torch.from_numpy(items).to(self._device) for k, items in decoded.bits.items()}
        decoded.layout.write_weights(bits, weights)
