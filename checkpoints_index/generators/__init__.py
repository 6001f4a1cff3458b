"""Generator architectures, by name."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from checkpoints_index.generators.dcgan import DCGANGenerator
from checkpoints_index.generators.skyline import SkylineGenerator
from latent.errors import UserError

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "dcgan": DCGANGenerator,
    "skyline": SkylineGenerator,
}


def build_generator(architecture: str, options: dict[str, Any]) -> nn.Module:
    """An untrained generator: z float [N, z_dim] -> float [N, 3, image_size, image_size] in -1..1.

    Raises:
        UserError: an unknown architecture, or an option that it does not take.
    """
    if architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UserError(f"No generator architecture is called '{architecture}'. Known: {known}.")
    build = ARCHITECTURES[architecture]
    accepted = list(inspect.signature(build).parameters)
    unknown = sorted(set(options) - set(accepted))
    if unknown:
        raise UserError(
            f"Generator '{architecture}' does not take {', '.join(unknown)}. "
            f"It takes: {', '.join(accepted)}."
        )
    return build(**options)
