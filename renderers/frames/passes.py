"""Forward passes of a generator: plain, compiled, or recorded as CUDA graphs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from renderers.frames.compilation import compiling

log = logging.getLogger(__name__)


def forward_frames(G: nn.Module, z: Tensor, precision: str) -> Tensor:
    """Render and round pictures on the device of G.

    Args:
        z: float32 [N, z_dim], on that device.
        precision: `float32` or `bf16`.

    Returns:
        uint8 [N, height, width, 3], on the same device: -1 becomes 0, 1 becomes 255, NaN black.
    """
    with torch.autocast(z.device.type, torch.bfloat16, precision == "bf16"):
        images: Tensor = G(z)
    return round_pictures(images)


def round_pictures(images: Tensor) -> Tensor:
    """Round what a generator gave to frames.

    Args:
        images: float [N, 3, height, width], -1..1; those in uint8 are levels already, and stay.

    Returns:
        uint8 [N, height, width, 3], on the same device: -1 becomes 0, 1 becomes 255, NaN black.
    """
    if images.dtype == torch.uint8:
        return images.permute(0, 2, 3, 1).contiguous()
    # A generator that diverged gives NaN, whose conversion to uint8 would be undefined.
    levels = images.float().add(1).mul_(127.5).nan_to_num_(0).round_().clamp_(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def unround_frames(frames: np.ndarray) -> Tensor:
    """The pictures that `round_pictures` rounds to frames.

    Args:
        frames: uint8 [N, height, width, 3].

    Returns:
        float32 [N, 3, height, width], -1..1, on the CPU.
    """
    return torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1


class FixedShapePasses:
    """Passes of one shape through resident modules, whose weights change in place only.

    On a GPU the second pass of each module is recorded as a CUDA graph, and later passes launch
    that graph as a whole: the kernels of a small network take longer to launch one by one than to
    run. They are the same kernels, so frames are the same.

    Args:
        compiled: compile each module with `torch.compile`, at its first pass.
    """

    def __init__(self, compiled: bool = False) -> None:
        self._compiled = torch.compile(forward_frames, dynamic=False) if compiled else None
        self._may_record = True
        self._recordings: dict[tuple[nn.Module, torch.Size, str], GraphRecording | None] = {}

    def __call__(self, G: nn.Module, z: Tensor, precision: str) -> Tensor:
        """Render pictures as `forward_frames` does.

        Args:
            G: one of the resident modules, in eval mode, on the device of z.
            z: float32 [N, z_dim], with the same N in every call.
            precision: `float32` or `bf16`.

        Returns:
            uint8 [N, height, width, 3], on the device.

        Raises:
            CompilationError: the generator cannot be compiled here.
        """
        if not (z.is_cuda and self._may_record):
            return self._pass(G, z, precision)
        key = G, z.shape, precision
        if key not in self._recordings:  # The first pass chooses kernels, which no graph can do.
            self._recordings[key] = None
            return self._pass(G, z, precision)
        recording = self._recordings[key] or self._record(G, z, precision)
        if recording is None:
            return self._pass(G, z, precision)
        self._recordings[key] = recording
        return recording(z)

    def _pass(self, G: nn.Module, z: Tensor, precision: str) -> Tensor:
        if self._compiled is None:
            return forward_frames(G, z, precision)
        with compiling("The generator"):
            return self._compiled(G, z, precision)

    def _record(self, G: nn.Module, z: Tensor, precision: str) -> GraphRecording | None:
        try:
            return GraphRecording(lambda fixed: self._pass(G, fixed, precision), z)
        except RuntimeError as error:  # The generator waits for the device, or memory is short.
            log.info("No CUDA graphs, since one could not be recorded: %s", error)
            self._may_record = False
            self.forget()
            return None

    def forget(self) -> None:
        """Give back the memory of all recordings."""
        self._recordings.clear()


class GraphRecording:
    """A pass as a CUDA graph, which reads and writes the same memory each time.

    Args:
        run: z -> frames; the same pass must have run before.
        z: float32 [N, z_dim] on a GPU.

    Raises:
        RuntimeError: the pass cannot be recorded.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], z: Tensor) -> None:
        self._z, self._graph = z.clone(), torch.cuda.CUDAGraph()
        new_stream: Any = torch.cuda.Stream  # The constructor has no types.
        stream = new_stream(z.device)
        with (
            torch.cuda.device(z.device),  # A new thread uses the first GPU.
            torch.cuda.stream(stream),  # `graph` would leave this thread on its stream if it fails.
            # Meanwhile other threads may use the device for something else.
            torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"),
        ):
            self._frames = run(self._z)

    def __call__(self, z: Tensor) -> Tensor:
        """Replay the pass: z of the recorded shape -> frames, a copy of their own."""
        self._z.copy_(z)
        self._graph.replay()
        return self._frames.clone()
