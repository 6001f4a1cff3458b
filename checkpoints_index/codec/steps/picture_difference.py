"""How far pictures are apart, and whether a bound allows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from checkpoints_index.storage.error_bound import ErrorBound


@dataclass(frozen=True)
class PictureDifference:
    """How far pictures are from those of the exact weights, in levels of 0..255.

    Args:
        rms: root mean square over all values.
        largest: difference of any single value, once rounded to levels as pictures are.
        peak: the same before rounding.
    """

    rms: float
    largest: int
    peak: float

    def room(self, error_bound: ErrorBound, peak_fraction: float = 1.0) -> float:
        """How many times as large a difference would just be allowed; 1 and more if this one is.

        Args:
            error_bound: the bound.
            peak_fraction: part of its largest difference that the peak may reach, 0..1.
        """
        peak = peak_fraction * error_bound.largest / max(self.peak, 1e-9)
        return min(error_bound.rms / max(self.rms, 1e-9), peak)

    @classmethod
    def between(cls, exact: Tensor, other: Tensor) -> PictureDifference:
        """How far two sets of pictures are apart: float64 [N, 3, H, W], in levels."""
        largest = int((exact.round() - other.round()).abs().max())
        return cls(_rms(exact - other), largest, float((exact - other).abs().max()))

    @classmethod
    def of_all(cls, parts: Sequence[PictureDifference], shares: Sequence[int]) -> PictureDifference:
        """That of several sets of pictures.

        Args:
            parts: of each set.
            shares: number of pictures of each.
        """
        if len(parts) == 1:
            return parts[0]
        squares = sum(part.rms**2 * share for part, share in zip(parts, shares, strict=True))
        return cls(
            math.sqrt(squares / sum(shares)),
            max(part.largest for part in parts),
            max(part.peak for part in parts),
        )

    def is_within(self, error_bound: ErrorBound, peak_fraction: float = 1.0) -> bool:
        """Whether a bound holds.

        Args:
            error_bound: the bound.
            peak_fraction: part of its largest difference that the peak may reach, 0..1.
        """
        within_peak = self.peak <= peak_fraction * error_bound.largest
        return self.rms <= error_bound.rms and self.largest <= error_bound.largest and within_peak


def _rms(tensor: Tensor) -> float:
    return float(tensor.square().mean().sqrt())
