"""All that is said to CUDA on the way of weights: pinned memory, copies, streams and their events.

Where the device is no GPU, the same calls do the same in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

HEADROOM = 1.25  # Memory that is too small is replaced by so many times what is needed.


class DeviceStreams:
    """Two streams of a GPU beside that of whoever asks for weights: of copies, and of weights.

    What is copied, unpacked and written runs beside forward passes, and waits for them only where
    they were begun on the caller's own stream, which then waits for the weights.

    Args:
        device: the device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.is_gpu = device, device.type == "cuda"
        new_stream: Any = torch.cuda.Stream  # The constructor has no types.
        self.copies: Any = new_stream(device) if self.is_gpu else None
        self._weights: Any = new_stream(device) if self.is_gpu else None

    @contextmanager
    def writing_weights(self) -> Iterator[None]:
        """What is done in this block is done on the stream of weights."""
        if not self.is_gpu:
            yield
            return
        caller = torch.cuda.current_stream(self.device)
        self._weights.wait_stream(caller)
        with torch.cuda.stream(self._weights):
            yield
        caller.wait_stream(self._weights)


class HostBuffer:
    """Memory on the CPU from which a device copies; pinned where that is a GPU, to be copied alone.

    Args:
        streams: those of the device.
    """

    def __init__(self, streams: DeviceStreams) -> None:
        self._streams = streams
        self._memory = torch.empty(0, dtype=torch.uint8)
        self._sent: Tensor | None = None
        self._copied: Any = None  # The event after which the memory may be written again.

    def reserve(self, size_bytes: int) -> np.ndarray[Any, Any]:
        """uint8 [size_bytes] to be written, once the device has what was there before."""
        streams = self._streams
        if self._copied is not None:
            self._copied.synchronize()
        if self._memory.numel() < size_bytes:
            size = int(HEADROOM * size_bytes)
            # A new thread uses the first GPU, which pinning would then begin to use as well.
            with torch.cuda.device(streams.device) if streams.is_gpu else nullcontext():
                self._memory = torch.empty(size, dtype=torch.uint8, pin_memory=streams.is_gpu)
        self._size = size_bytes
        return self._memory[:size_bytes].numpy()

    def send(self) -> None:
        """Begin to copy what was written; the CPU waits for no GPU."""
        written, streams = self._memory[: self._size], self._streams
        if not streams.is_gpu:
            self._sent = written.to(streams.device)
            return
        with torch.cuda.stream(streams.copies):
            self._sent = written.to(streams.device, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record(streams.copies)

    def receive(self) -> Tensor:
        """What was sent, uint8 [size_bytes] on the device, for operations of the current stream."""
        sent, self._sent = self._sent, None
        assert sent is not None
        if self._streams.is_gpu:
            stream = torch.cuda.current_stream(self._streams.device)
            stream.wait_event(self._copied)
            sent.record_stream(stream)
        return sent
