"""How far letters are from what they ought to be, by the published remapping of fields."""

from __future__ import annotations

import torch
from torch import Tensor

from checkpoints_index.generators.letters.bodies import INPUTS

# Fields are compared after a remapping that is three times as steep within 1.5 px of the edge of a
# letter, as published.
STEEP_FROM, STEEP_TO = 0.7745, 0.9510
FLAT, STEEP = 0.5714, 3.0


def differ(made: Tensor, wanted: Tensor, remapped: bool) -> Tensor:
    """How far outputs are from what they ought to be, float [..., 1322].

    Args:
        remapped: whether fields are remapped first; which letter it is never is.
    """
    if not remapped:
        return made - wanted
    fields = remap_fields(made[..., :INPUTS]) - remap_fields(wanted[..., :INPUTS])
    return torch.cat((fields, made[..., INPUTS:] - wanted[..., INPUTS:]), -1)


def remap_fields(fields: Tensor) -> Tensor:
    """Values of fields, three times as steep within 1.5 px of a letter's edge.

    Args:
        fields: float [...].

    Returns:
        float [...], without a step.
    """
    near = FLAT * STEEP_FROM + STEEP * (fields - STEEP_FROM)
    inside = FLAT * STEEP_FROM + STEEP * (STEEP_TO - STEEP_FROM) + FLAT * (fields - STEEP_TO)
    outside = FLAT * fields
    return torch.where(fields < STEEP_FROM, outside, torch.where(fields < STEEP_TO, near, inside))


def error_of(made: Tensor, wanted: Tensor, remapped: bool) -> float:
    """The mean over letters of the sum of the differences of their fields.

    Args:
        made, wanted: float [..., 1296] in 0..1, of shapes that broadcast.
    """
    if remapped:
        made, wanted = remap_fields(made), remap_fields(wanted)
    return round(float((made - wanted).abs().sum(-1).mean()), 4)
