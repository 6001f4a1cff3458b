"""Memory that a device copies from, used again: all that is said to CUDA on the way of weights."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

HEADROOM = 1.25  # Memory that is too small is replaced by so many times what is needed.


class HostBuffer:
    """Memory on the CPU from which a device copies; pinned where that is a GPU, to be copied alone.

    Args:
        device: the device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._pinned = device, device.type == "cuda"
        self._memory = torch.empty(0, dtype=torch.uint8)
        self._copied: Any = None  # The event after which the memory may be written again.

    def reserve(self, size_bytes: int) -> np.ndarray[Any, Any]:
        """uint8 [size_bytes] to be written, once the device has what was there before."""
        if self._copied is not None:
            self._copied.synchronize()
        if self._memory.numel() < size_bytes:
            size = int(HEADROOM * size_bytes)
            # A new thread uses the first GPU, which pinning would then begin to use as well.
            with torch.cuda.device(self._device) if self._pinned else nullcontext():
                self._memory = torch.empty(size, dtype=torch.uint8, pin_memory=self._pinned)
        self._size = size_bytes
        return self._memory[:size_bytes].numpy()

    def send(self) -> Tensor:
        """What was written last, uint8 [size_bytes] on the device; the CPU waits for no GPU."""
        written = self._memory[: self._size]
        if not self._pinned:
            return written.to(self._device)
        sent = written.to(self._device, non_blocking=True)
        self._copied = torch.cuda.Event()
        self._copied.record(torch.cuda.current_stream(self._device))
        return sent
