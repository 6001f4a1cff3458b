"""How far a stored generator's pictures may differ from those of the exact weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

MAX_PICTURES = 1 << 16


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
    def from_json(cls, document: Any) -> ErrorBound | None:
        """What a run's folder, or a segment, says of it; None for exact storage.

        Raises:
            ValueError: it is no bound.
        """
        if document is None:
            return None
        if not isinstance(document, dict) or document.keys() != cls.__dataclass_fields__.keys():
            raise ValueError("its error bound is none")
        bound = cls(**document)
        numbers = all(type(n) in (int, float) and 0 <= n < math.inf for n in document.values())
        if (
            not numbers
            or type(bound.pictures) is not int
            or not 1 <= bound.pictures <= MAX_PICTURES
        ):
            raise ValueError("its error bound is none")
        return bound

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
