"""Many drawn pictures whose latent points are known: where a search for a point begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH_PX = 32  # Pictures are kept averaged down to this width.
COARSE_PX = 16  # At this width the nearest ones are looked for.
CHUNK = 64  # Pictures in one forward pass.


@dataclass(frozen=True, eq=False)
class Gallery:
    """Drawn pictures and their points.

    Args:
        z: float32 [N, z_dim].
        pictures: float32 [N, 3, WIDTH_PX, WIDTH_PX] in -1..1, or smaller.
    """

    z: Tensor
    pictures: Tensor

    def nearest(self, picture: Tensor, count: int) -> Tensor:
        """The points whose small pictures are most like a picture, the nearest first.

        Args:
            picture: float32 [3, H, W].

        Returns:
            float32 [count, z_dim].
        """
        small = shrink(self.pictures, COARSE_PX).flatten(1)
        distances = (small - shrink(picture[None], COARSE_PX).flatten(1)).square().sum(1)
        return self.z[distances.topk(min(count, len(self.z)), largest=False).indices]


def shrink(pictures: Tensor, width_px: int) -> Tensor:
    """Pictures [N, 3, H, W] averaged down to a width; smaller ones as they are."""
    return F.adaptive_avg_pool2d(pictures, width_px) if pictures.shape[-1] > width_px else pictures


@torch.no_grad()  # Not inference mode, whose tensors no encoder could be trained on.
def draw_gallery(
    G: nn.Module, z: Tensor, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Gallery:
    """Draw the pictures of many points.

    Args:
        G: generator in eval mode.
        z: float32 [N, z_dim].
        on_progress: called with the number of pictures drawn and of all.
    """
    device, kept = next(G.parameters()).device, []
    for chunk in z.split(CHUNK):
        kept.append(shrink(G(chunk.to(device)), WIDTH_PX).cpu())
        on_progress(min(len(kept) * CHUNK, len(z)), len(z))
    return Gallery(z, torch.cat(kept))
