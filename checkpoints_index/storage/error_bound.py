"""By how much a stored generator's pictures may differ from those of the exact weights."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorBound:
    """The largest difference of pictures at calibration points, in levels of 0..255."""

    rms: float = 0.10
    largest: int = 1
    pictures: int = 16  # number of latent points it is checked on

    @classmethod
    def of_quality(cls, rms: float) -> ErrorBound:
        """The bound of an allowed rms difference; single values may differ by ten times that."""
        return cls(rms=rms, largest=max(1, math.ceil(10 * rms)))
