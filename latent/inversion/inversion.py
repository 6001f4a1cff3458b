"""The latent point of a picture, looked for from several starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latent.errors import LatentError
from latent.inversion.encoder import Encoder, train_encoder
from latent.inversion.fitting import FittedPoint, OnStep, fit_point, ignore_step
from latent.inversion.gallery import Gallery

NEAREST = 4  # So many pictures of the gallery are starts.
STEPS = 30  # The most steps from one start.
GOOD_DB = 35.0  # A picture as near as this is found: no other start is tried.


@dataclass(frozen=True, eq=False)
class Inverter:
    """Finds latent points of pictures by one generator; what it has learnt serves all of them.

    Args:
        G: generator in eval mode.
        gallery: drawn pictures, among which the nearest are starts.
        encoder: guesses the first start.
    """

    G: nn.Module
    gallery: Gallery
    encoder: Encoder

    @classmethod
    def learn(
        cls,
        G: nn.Module,
        gallery: Gallery,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Inverter:
        """Train an encoder on pictures of the generator.

        Args:
            gallery: pictures of points of the distribution that the generator was trained on.
            on_progress: called with how much is done, and of how much.

        Raises:
            LatentError: the generator gives numbers that are not finite.
        """
        if not gallery.pictures.isfinite().all():
            raise LatentError(
                "The generator gives numbers that are not finite: its weights are damaged, or "
                "training had failed. Choose an earlier checkpoint."
            )
        return cls(G, gallery, train_encoder(gallery, on_progress=on_progress))

    def invert(
        self, picture: Tensor, known: Sequence[Tensor] = (), on_step: OnStep = ignore_step
    ) -> FittedPoint:
        """Find the latent point that draws a picture most nearly.

        The encoder's guess is tried first, then the nearest pictures of the gallery, until one of
        them leads to GOOD_DB.

        Args:
            picture: float32 [3, H, W] in -1..1, of the generator's size.
            known: starts that are tried before all others, float32 [z_dim] each.
            on_step: called with the number of the step, the best point so far on the CPU, and its
                PSNR in dB.

        Returns:
            The best fit; its steps are those of all starts.
        """
        best, taken = None, 0
        for start in self._starts(picture, known):
            report = _only_better(on_step, best, taken)
            fit = fit_point(self.G, picture, start, STEPS, report)
            taken += fit.steps
            best = fit if best is None or fit.psnr_db > best.psnr_db else best
            if best.psnr_db >= GOOD_DB:
                break
        assert best is not None
        return FittedPoint(best.z, best.psnr_db, taken)

    def _starts(self, picture: Tensor, known: Iterable[Tensor]) -> Iterator[Tensor]:
        yield from known
        with torch.inference_mode():
            yield self.encoder(picture[None])[0]
        yield from self.gallery.nearest(picture, NEAREST)


def _only_better(on_step: OnStep, best: FittedPoint | None, taken: int) -> OnStep:
    """Report the steps from a further start that lead beyond the best fit before it."""

    def report(step: int, z: Tensor, psnr_db: float) -> None:
        if best is None or psnr_db > best.psnr_db:
            on_step(taken + step, z, psnr_db)

    return report
