"""Streams of a GPU for films: of forward passes, and of their frames on the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


class ArrivingFrames:
    """Frames on their way to the host.

    Args:
        memory: uint8 [N, height, width, 3] on the CPU, where they arrive.
        copied: the event after which they are there; None where they are there already.
    """

    def __init__(self, memory: Tensor, copied: Any) -> None:
        self._memory, self._copied = memory, copied

    def receive(self) -> np.ndarray:
        """Wait until they are there: uint8 [N, height, width, 3], which keep their memory."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._memory.numpy()


class ForwardStream:
    """Passes on a stream of their own, and their frames copied back on another one.

    Each pass waits for the weights that it shows, and each copy for its pass. Where the device is
    no GPU, the same calls do nothing, and all runs in order.

    Args:
        device: such as `cpu` or `cuda:0`.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        new_stream: Any = torch.cuda.Stream  # The constructor has no types.
        is_gpu = self._device.type == "cuda"
        self._stream: Any = new_stream(self._device) if is_gpu else None
        self._copies: Any = new_stream(self._device) if is_gpu else None

    def mark_weights(self) -> Any:
        """A moment of the caller's stream, by which the weights of a checkpoint are written."""
        return None if self._stream is None else self._mark()

    @contextmanager
    def passes_after(self, written: Any) -> Iterator[None]:
        """What is done in this block is done on the stream, once it has come to that moment."""
        if self._stream is None:
            yield
            return
        self._stream.wait_event(written)
        with torch.cuda.stream(self._stream):
            yield

    @torch.inference_mode()
    def copy_back(self, frames: Tensor) -> ArrivingFrames:
        """Begin to copy frames of the current stream to the host; wait until their pass is over.

        When this returns, the weights of that pass may be written anew; the copy goes on beside
        the next pass. Its memory on the host is pinned, and belongs to the frames for as long as
        somebody holds them; PyTorch then gives it to later ones.

        Args:
            frames: uint8 [N, height, width, 3], on the device.
        """
        if self._copies is None:
            return ArrivingFrames(frames.cpu(), None)
        rendered = self._mark()
        self._copies.wait_event(rendered)
        with torch.cuda.stream(self._copies):  # Pinning uses the GPU that is current here.
            memory = torch.empty(frames.shape, dtype=frames.dtype, pin_memory=True)
            memory.copy_(frames, non_blocking=True)
            copied = self._mark()
        frames.record_stream(self._copies)  # Later passes get the memory when it was copied.
        rendered.synchronize()
        return ArrivingFrames(memory, copied)

    def _mark(self) -> Any:
        """The moment of the current stream, for which a thread waits without spending its core."""
        moment = torch.cuda.Event(blocking=True)
        moment.record(torch.cuda.current_stream(self._device))
        return moment
