"""Forward passes of a generator: plain ones, and ones that come again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from renderers.frames.compilation import compiling

log = logging.getLogger(__name__)


def frames_of(G: nn.Module, z: Tensor, precision: str) -> Tensor:
    """The pictures of z [N, z_dim], rounded where they were made: uint8 [N, height, width, 3]."""
    with torch.autocast(z.device.type, torch.bfloat16, precision == "bf16"):
        images = G(z)
    # A generator that diverged gives NaN, whose conversion is undefined: black on every device.
    levels = images.float().add(1).mul_(127.5).nan_to_num_(0).round_().clamp_(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


class SteadyPasses:
    """Passes of one shape through modules that stay, whose weights change in place alone.

    On a GPU each module's second pass is recorded as a CUDA graph, and those after it are launched
    as a whole: the kernels of a small network take longer to launch one by one than to run. They
    are the same kernels, so frames are the same.

    Args:
        compiled: by `torch.compile`, at the first pass of a module.
    """

    def __init__(self, compiled: bool = False) -> None:
        self._compiled = torch.compile(frames_of, dynamic=False) if compiled else None
        self._records = True
        self._recordings: dict[tuple[nn.Module, torch.Size, str], GraphRecording | None] = {}

    def __call__(self, G: nn.Module, z: Tensor, precision: str) -> Tensor:
        """`frames_of`.

        Raises:
            RenderError: the generator cannot be compiled here.
        """
        if not (z.is_cuda and self._records):
            return self._pass(G, z, precision)
        key = G, z.shape, precision
        if key not in self._recordings:  # its kernels are chosen now, which cannot be recorded
            self._recordings[key] = None
            return self._pass(G, z, precision)
        recording = self._recordings[key] or self._record(G, z, precision)
        if recording is None:
            return self._pass(G, z, precision)
        self._recordings[key] = recording
        return recording(z)

    def _pass(self, G: nn.Module, z: Tensor, precision: str) -> Tensor:
        if self._compiled is None:
            return frames_of(G, z, precision)
        with compiling("The generator", "Leave out --compile."):
            return self._compiled(G, z, precision)

    def _record(self, G: nn.Module, z: Tensor, precision: str) -> GraphRecording | None:
        try:
            return GraphRecording(lambda fixed: self._pass(G, fixed, precision), z)
        except RuntimeError as error:  # a generator that waits for the device, or too little memory
            log.info("No CUDA graphs, since one could not be recorded: %s", error)
            self._records = False
            self.forget()
            return None

    def forget(self) -> None:
        """Give back the memory of all recordings."""
        self._recordings.clear()


class GraphRecording:
    """A pass as a CUDA graph, which reads and writes the same memory each time.

    Args:
        run: z -> frames, a pass that was made before.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], z: Tensor) -> None:
        self._z, self._graph = z.clone(), torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream(z.device)
        with (
            torch.cuda.device(z.device),  # a thread begins at the first one
            torch.cuda.stream(stream),  # which `graph` leaves this thread on where it fails
            # Meanwhile other threads may use the device for something else.
            torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"),
        ):
            self._frames = run(self._z)

    def __call__(self, z: Tensor) -> Tensor:
        self._z.copy_(z)
        self._graph.replay()
        return self._frames.clone()  # before the next pass is written over it
