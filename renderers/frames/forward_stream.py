"""A stream of a GPU for forward passes, beside which the weights of the next module are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class ForwardStream:
    """Passes on a stream of their own, each of which waits for the weights that it shows.

    Where the device is no GPU, the same calls do nothing, and passes run in order.

    Args:
        device: such as `cpu` or `cuda:0`.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        new_stream: Any = torch.cuda.Stream  # The constructor has no types.
        self._stream: Any = new_stream(self._device) if self._device.type == "cuda" else None

    def mark_weights(self) -> Any:
        """A moment of the caller's stream, by which the weights of a checkpoint are written."""
        if self._stream is None:
            return None
        written = torch.cuda.Event()
        written.record(torch.cuda.current_stream(self._device))
        return written

    @contextmanager
    def passes_after(self, written: Any) -> Iterator[None]:
        """What is done in this block is done on the stream, once it has come to that moment."""
        if self._stream is None:
            yield
            return
        self._stream.wait_event(written)
        with torch.cuda.stream(self._stream):
            yield
