"""A generator and latent points -> frames."""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

# Pictures' pixels in one forward pass. A processor gains nothing from large batches and pays in
# memory (a 1024x1024 generator holds hundreds of MB a picture); an accelerator wants them.
CPU_PIXELS = 1 << 20
ACCELERATOR_PIXELS = 1 << 26


class FrameRenderer:
    """Renders frames of one architecture, in batches that fit into memory.

    Args:
        max_batch: pictures in one forward pass; chosen from the picture's size if None.
        precision: `float32`, or `bf16` where the first pictures of a part differ from those of
            float32 by no more than a level.
    """

    def __init__(self, max_batch: int | None = None, precision: str = "float32") -> None:
        self.max_batch, self._wanted = max_batch, precision
        self.begin_part()

    def begin_part(self) -> None:
        """Prove the precision anew, so that a part is the same whatever was rendered before it."""
        self.precision = self._wanted
        self._is_proven = self.precision == "float32"

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
        """
        z = z.to(_device_of(G))
        if self.max_batch is None:
            self.max_batch = _fitting_batch(G, z)
        if not self._is_proven:
            self._prove(G, z)
        return self._forward(G, z).cpu().numpy()

    def _prove(self, G: nn.Module, z: Tensor) -> None:
        """Go back to float32 if that is what these pictures need."""
        self._is_proven = True
        wanted = self._forward(G, z).int()
        self.precision = "float32"
        if (self._forward(G, z).int() - wanted).abs().max() <= 1:
            self.precision = self._wanted
        else:
            log.info("float32 is used, since frames in %s differ by several levels", self._wanted)

    def _forward(self, G: nn.Module, z: Tensor) -> Tensor:
        """Frames uint8 [N, height, width, 3] on the device; out of memory halves `max_batch`."""
        assert self.max_batch is not None
        while True:
            try:
                with torch.autocast(z.device.type, torch.bfloat16, self.precision == "bf16"):
                    return torch.cat([_to_uint8(G(chunk)) for chunk in z.split(self.max_batch)])
            except torch.OutOfMemoryError:
                if self.max_batch == 1:
                    raise
                self.max_batch = (min(self.max_batch, len(z)) + 1) // 2
            if z.is_cuda:
                torch.cuda.empty_cache()


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


def _to_uint8(images: Tensor) -> Tensor:  # float [N3HW] in -1..1 -> uint8 [NHW3]
    # A generator that diverged gives NaN, whose conversion is undefined: black on every device.
    levels = images.float().add(1).mul_(127.5).nan_to_num_(0).round_().clamp_(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
