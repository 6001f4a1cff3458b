"""Render the pictures of latent points with a generator, in batches that fit into memory."""

from __future__ import annotations

import logging

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from renderers.frames.device_failures import is_out_of_memory
from renderers.frames.passes import FixedShapePasses, forward_frames
from renderers.frames.small_pictures import SmallPictures

log = logging.getLogger(__name__)

# The most output pixels in one forward pass. A CPU gains nothing from large batches and pays in
# memory (a 1024x1024 generator holds hundreds of MB a picture); a GPU is fast only with them.
MAX_CPU_PIXELS = 1 << 20
MAX_ACCELERATOR_PIXELS = 1 << 26


class FrameRenderer:
    """Renders frames of one architecture, in batches that fit into memory.

    `bf16` and compiled passes round differently from plain float32. They are used in a part if
    its first pictures differ from plain ones by no more than one level of 255.

    Args:
        max_batch: the most pictures in one forward pass; chosen from the picture's size if None.
        precision: `float32` or `bf16`.
        fixed_batch: the most pictures that are asked for at once, where all calls use the same
            modules, whose weights change in place only. Passes are padded to this size where that
            lets them be compiled, or recorded as CUDA graphs; None where modules come and go.
        compile: use `torch.compile`; it needs a fixed batch.
    """

    def __init__(
        self,
        max_batch: int | None = None,
        precision: str = "float32",
        fixed_batch: int | None = None,
        compile: bool = False,
    ) -> None:
        self.max_batch, self._wanted, self._fixed_batch = max_batch, precision, fixed_batch
        self._compiles = compile and fixed_batch is not None
        self._passes = FixedShapePasses(self._compiles)
        self.begin_part()

    def begin_part(self) -> None:
        """Compare the rounding anew, so that a part does not depend on what came before it."""
        self._is_plain = False
        self._is_proven = self._wanted == "float32" and not self._compiles

    @property
    def precision(self) -> str:
        """The precision of the passes as they are made now: `float32` or `bf16`."""
        return "float32" if self._is_plain else self._wanted

    def render(self, G: nn.Module, z: Tensor) -> np.ndarray:
        """Render the pictures of latent points, round them on the device, copy them to the host.

        Args:
            G, z: see `render_on_device`.

        Returns:
            uint8 [N, height, width, 3].

        Raises:
            torch.OutOfMemoryError: not even one picture fits on the device.
            CompilationError: G cannot be compiled here.
        """
        return self.render_on_device(G, z).cpu().numpy()

    @torch.inference_mode()
    def render_on_device(self, G: nn.Module, z: Tensor) -> Tensor:
        """Render the pictures of latent points, and round them, without waiting for the device.

        Args:
            G: in eval mode; z [N, z_dim] -> float [N, 3, height, width] in -1..1.
            z: float32 [N, z_dim], on any device.

        Returns:
            uint8 [N, height, width, 3], on the device of G.

        Raises:
            torch.OutOfMemoryError: not even one picture fits on the device.
            CompilationError: G cannot be compiled here.
        """
        z = z.to(_device_of(G))
        if self.max_batch is None:
            self.max_batch = _fitting_batch(G, z)
        if not self._is_proven:
            self._prove(G, z)
        return self._forward(G, z)

    def _prove(self, G: nn.Module, z: Tensor) -> None:
        """Fall back to plain float32 if these pictures would differ visibly from it."""
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
                return torch.cat([self._pass(G, chunk) for chunk in torch.split(z, self.max_batch)])
            except RuntimeError as error:
                if self.max_batch == 1 or not is_out_of_memory(error):
                    raise
                self.max_batch = (min(self.max_batch, len(z)) + 1) // 2
            self._passes.forget()
            if z.is_cuda:
                torch.cuda.empty_cache()

    def _pass(self, G: nn.Module, z: Tensor) -> Tensor:
        """One forward pass: z [N, z_dim] -> uint8 [N, height, width, 3] on the device."""
        assert self.max_batch is not None
        if self._is_plain or self._fixed_batch is None or not (self._compiles or z.is_cuda):
            return forward_frames(G, z, self.precision)
        lacking = max(0, min(self._fixed_batch, self.max_batch) - len(z))
        return self._passes(G, F.pad(z, (0, 0, 0, lacking)), self.precision)[: len(z)]


def render_frames(G: nn.Module, z: Tensor, max_batch: int | None = None) -> np.ndarray:
    """Render latent points once with plain float32 passes; see `FrameRenderer.render`.

    Args:
        G: in eval mode; z [N, z_dim] -> float [N, 3, height, width] in -1..1.
        z: float32 [N, z_dim], on any device.
        max_batch: the most pictures in one forward pass; chosen from the picture's size if None.

    Returns:
        uint8 [N, height, width, 3].
    """
    return FrameRenderer(max_batch).render(G, z)


def _device_of(G: nn.Module) -> torch.device:
    first = next(G.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def _fitting_batch(G: nn.Module, z: Tensor) -> int:
    """How many pictures a forward pass may hold, from the size of one that is thrown away.

    That picture must not become a frame: a frame rendered in a batch of another size may differ
    in a last bit, and a resumed render would differ from an undisturbed one.
    """
    whole = G.G if isinstance(G, SmallPictures) else G  # Its pictures are held before they shrink.
    height, width = map(int, whole(z[:1]).shape[-2:])
    pixels = MAX_CPU_PIXELS if z.device.type == "cpu" else MAX_ACCELERATOR_PIXELS
    return max(1, pixels // (height * width))
