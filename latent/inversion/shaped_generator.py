"""A generator of any distribution, as one that takes points of N(0, I)."""

from __future__ import annotations

from torch import Tensor, nn

from latent.points import Shape


class ShapedGenerator(nn.Module):
    """Shapes points of N(0, I) into those that a generator was trained with, and draws them.

    A search that moves freely among normal points never leaves the generator's distribution.

    Args:
        G: generator in eval mode.
        shape: float32 [N, z_dim] ~ N(0, I) -> points of its distribution.
    """

    def __init__(self, G: nn.Module, shape: Shape) -> None:
        super().__init__()
        self.G, self.shape = G, shape
        self.eval()

    def forward(self, normal: Tensor) -> Tensor:
        """Pictures float [N, 3, H, W] of normal points, float32 [N, z_dim]."""
        drawn: Tensor = self.G(self.shape(normal))
        return drawn
