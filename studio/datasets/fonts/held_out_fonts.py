"""Fonts that are never trained on, so that letters can be judged that no network has seen."""

from __future__ import annotations

import numpy as np
import xxhash

HELD_OUT_OF = 8  # One of so many fonts is never trained on.


def held_out_fonts(fields: np.ndarray) -> np.ndarray:
    """Which fonts are never trained on: about one of HELD_OUT_OF, by their letters alone.

    A font that is held out stays so in every dataset, whatever is beside it there.

    Args:
        fields: uint8 [N, 52, 36, 36].

    Returns:
        bool [N].
    """
    digests = (xxhash.xxh3_64_intdigest(np.ascontiguousarray(font).data) for font in fields)
    return np.fromiter((digest % HELD_OUT_OF == 0 for digest in digests), bool, len(fields))
