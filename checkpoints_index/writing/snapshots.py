"""Copies of weights on the CPU, and weights that wait to be copied."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from checkpoints_index.codec.steps.lean_calibration import is_large

_new_event: Callable[[], torch.cuda.Event] = torch.cuda.Event  # Its constructor has no types.


class Snapshot:
    """A copy of a state dict on the CPU, in memory that is used again.

    Large ones lie in memory as the weights do, so that copying them is reading and writing alone.

    Args:
        weights: a state dict of the names, shapes and dtypes that will be copied.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._device = torch.device("cpu")
        self._copied: torch.cuda.Event | None = None
        layout = torch.preserve_format if is_large(weights) else torch.contiguous_format
        self._tensors = {
            name: torch.empty_like(
                t, device="cpu", pin_memory=t.is_cuda, memory_format=layout, requires_grad=False
            )
            for name, t in weights.items()
        }

    def touch(self) -> None:
        """Have all of its memory, so that the first copy takes no longer than the others."""
        for tensor in self._tensors.values():
            tensor.zero_()

    def copy_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights as they are now; a GPU copies behind what it was asked before.

        Args:
            weights: a state dict on any device.
        """
        for name, tensor in weights.items():
            self._device = tensor.device
            self._tensors[name].copy_(tensor.detach(), non_blocking=True)
        if self._device.type == "cuda":
            self._copied = _new_event()
            self._copied.record(torch.cuda.current_stream(self._device))

    def wait(self) -> tuple[dict[str, Tensor], torch.device]:
        """The weights once they have arrived, and where they came from."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._tensors, self._device


class WaitingCheckpoint:
    """A checkpoint that waits to be encoded.

    Args:
        batch: its batch.
        lent: its weights, where they are still the caller's.

    Attributes:
        batch: its batch.
        lent: the caller's weights up to when they are copied.
        snapshot: the copy, where there is one.
    """

    def __init__(self, batch: int, lent: Mapping[str, Tensor]) -> None:
        self.batch = batch
        self.lent: Mapping[str, Tensor] | None = lent
        self.snapshot: Snapshot | None = None
        device = next((tensor.device for tensor in lent.values()), torch.device("cpu"))
        on_gpu = device.type == "cuda"
        self._stream = torch.cuda.current_stream(device) if on_gpu else None

    def copy_to(self, snapshot: Snapshot) -> None:
        """Copy the weights; the caller may change them from here on."""
        assert self.lent is not None
        # Whichever thread this is, a GPU copies in the order in which it was asked by the caller.
        with torch.cuda.stream(self._stream):
            snapshot.copy_from(self.lent)
        self.snapshot, self.lent = snapshot, None

    def drop(self) -> None:
        """Give the weights back without a copy."""
        self.lent = None
