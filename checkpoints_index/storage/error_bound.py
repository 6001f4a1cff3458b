"""How far a stored generator's pictures may differ from those of the exact weights."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorBound:
    """The largest difference of pictures at calibration points, in levels of 0..255.

    Args:
        rms: root mean square over all values of all pictures.
        largest: difference of any single value, once rounded to levels.
        pictures: number of latent points at which it is checked.
    """

    rms: float = 0.10
    largest: int = 1
    pictures: int = 16

    @classmethod
    def of_quality(cls, rms: float) -> ErrorBound:
        """The bound for an allowed rms difference; a single value may differ by ten times that.

        Args:
            rms: in levels of 0..255, above 0.

        Example:
            >>> ErrorBound.of_quality(0.25)
            ErrorBound(rms=0.25, largest=3, pictures=16)
        """
        return cls(rms=rms, largest=max(1, math.ceil(10 * rms)))
