"""Colours for numbers: the one place where they are declared."""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 256
# Each map goes through its colours at even distances. Viridis is by Smith and van der Walt (2015),
# equal steps in which look equally large, also to people who do not tell red from green.
COLOUR_MAPS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "grey": ((0, 0, 0), (255, 255, 255)),
    "viridis": (
        *((68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142)),
        *((31, 158, 137), (53, 183, 121), (109, 205, 89), (180, 222, 44), (253, 231, 37)),
    ),
}


def colour_table(name: str) -> Tensor:
    """The colours of a map, from its least number to its greatest.

    Args:
        name: one of COLOUR_MAPS.

    Returns:
        float32 [LEVELS, 3] in -1..1, as generators give colours.

    Example:
        >>> colour_table("grey")[[0, 51, 255], 0].tolist()
        [-1.0, -0.6000000238418579, 1.0]
    """
    stops = torch.tensor(COLOUR_MAPS[name], dtype=torch.float64)
    place = torch.linspace(0, len(stops) - 1, LEVELS, dtype=torch.float64)
    before = place.long().clamp(max=len(stops) - 2)
    colours = torch.lerp(stops[before], stops[before + 1], (place - before)[:, None])
    return (colours / 127.5 - 1).float()
