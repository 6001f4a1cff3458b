"""A generator and latent points -> frames."""

from __future__ import annotations

import logging

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from renderers.frames.passes import SteadyPasses, frames_of

log = logging.getLogger(__name__)

# Pictures' pixels in one forward pass. A processor gains nothing from large batches and pays in
# memory (a 1024x1024 generator holds hundreds of MB a picture); an accelerator wants them.
CPU_PIXELS = 1 << 20
ACCELERATOR_PIXELS = 1 << 26


class FrameRenderer:
    """Renders frames of one architecture, in batches that fit into memory.

    Args:
        max_batch: pictures in one forward pass; chosen from the picture's size if None.
        precision: `float32`, or `bf16`.
        steady: how many pictures are asked for at most, where all come from modules that stay and
            whose weights change in place alone. Passes are filled up to so many if that lets
            them be compiled, or recorded on a GPU.
        compile: passes by `torch.compile`, if they are steady.

    What rounds otherwise than plain float32 does, `bf16` or compiled passes, is used in a part if
    its first pictures differ by no more than a level.
    """

    def __init__(
        self,
        max_batch: int | None = None,
        precision: str = "float32",
        steady: int | None = None,
        compile: bool = False,
    ) -> None:
        self.max_batch, self._wanted, self._steady = max_batch, precision, steady
        self._compiles = compile and steady is not None
        self._passes = SteadyPasses(self._compiles)
        self.begin_part()

    def begin_part(self) -> None:
        """Prove the rounding anew, so that a part is the same whatever was rendered before it."""
        self._is_plain = False
        self._is_proven = self._wanted == "float32" and not self._compiles

    @property
    def precision(self) -> str:
        """That of the passes as they are made now."""
        return "float32" if self._is_plain else self._wanted

    @torch.inference_mode()
    def render(self, G: nn.Module, z: Tensor) -> np.ndarray:
        """The pictures of latent points z, rounded on the device and copied to the host once.

        Args:
            G: in eval mode; z [N, z_dim] -> float [N, 3, height, width] in -1..1.
            z: float32 [N, z_dim], on any device.

        Returns:
            uint8 [N, height, width, 3].

        Raises:
            torch.OutOfMemoryError: not even one picture fits on the device.
            RenderError: G cannot be compiled here.
        """
        z = z.to(_device_of(G))
        if self.max_batch is None:
            self.max_batch = _fitting_batch(G, z)
        if not self._is_proven:
            self._prove(G, z)
        return self._forward(G, z).cpu().numpy()

    def _prove(self, G: nn.Module, z: Tensor) -> None:
        """Go back to plain float32 if that is what these pictures need."""
        self._is_proven = True
        wanted = self._forward(G, z).int()
        self._is_plain = True
        self._is_plain = bool((self._forward(G, z).int() - wanted).abs().max() > 1)
        if self._is_plain:
            log.info("Plain float32 is used, as frames would differ from it by several levels")

    def _forward(self, G: nn.Module, z: Tensor) -> Tensor:
        """Frames uint8 [N, height, width, 3] on the device; out of memory halves `max_batch`."""
        assert self.max_batch is not None
        while True:
            try:
                return torch.cat([self._pass(G, chunk) for chunk in z.split(self.max_batch)])
            except torch.OutOfMemoryError:
                if self.max_batch == 1:
                    raise
                self.max_batch = (min(self.max_batch, len(z)) + 1) // 2
            self._passes.forget()
            if z.is_cuda:
                torch.cuda.empty_cache()

    def _pass(self, G: nn.Module, z: Tensor) -> Tensor:
        """Frames of one pass."""
        assert self.max_batch is not None
        if self._is_plain or self._steady is None or not (self._compiles or z.is_cuda):
            return frames_of(G, z, self.precision)
        lacking = max(0, min(self._steady, self.max_batch) - len(z))
        return self._passes(G, F.pad(z, (0, 0, 0, lacking)), self.precision)[: len(z)]


def render_frames(G: nn.Module, z: Tensor, max_batch: int | None = None) -> np.ndarray:
    """`FrameRenderer.render` once: z float32 [N, z_dim] -> uint8 [N, height, width, 3]."""
    return FrameRenderer(max_batch).render(G, z)


def _device_of(G: nn.Module) -> torch.device:
    first = next(G.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def _fitting_batch(G: nn.Module, z: Tensor) -> int:
    """How many pictures a forward pass may hold, by the size of one that is thrown away.

    It must not be one of the frames: a frame rendered in a batch of another size may differ in
    a last bit, and a resumed render would differ from an undisturbed one.
    """
    height, width = G(z[:1]).shape[-2:]
    pixels = CPU_PIXELS if z.device.type == "cpu" else ACCELERATOR_PIXELS
    return max(1, pixels // (height * width))
