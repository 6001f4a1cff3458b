"""Generator architectures by name, and building them."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.chain import ChainGenerator
from checkpoints_index.generators.dcgan import DCGANGenerator
from checkpoints_index.generators.foreign import build_foreign
from checkpoints_index.generators.residual import ResidualGenerator
from checkpoints_index.generators.skyline import SkylineGenerator

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "chain": ChainGenerator,
    "dcgan": DCGANGenerator,
    "residual": ResidualGenerator,
    "skyline": SkylineGenerator,
}


def build_generator(architecture: str, options: dict[str, Any]) -> nn.Module:
    """An untrained generator: z float [N, z_dim] -> float [N, 3, image_size, image_size] in -1..1.

    Args:
        architecture: one of ARCHITECTURES, "keras", or `package.module:Class` of another program.
        options: what it is constructed with, by name.

    Raises:
        CheckpointError: an unknown architecture, or an option that it does not take or that it
            lacks.
    """
    if ":" in architecture:
        return build_foreign(architecture, options)
    build = find_architecture(architecture)
    accepted = inspect.signature(build).parameters
    unknown = sorted(set(options) - set(accepted))
    lacking = [
        n for n, taken in accepted.items() if taken.default is taken.empty and n not in options
    ]
    if unknown or lacking:
        what = f"does not take {', '.join(unknown)}" if unknown else f"needs {', '.join(lacking)}"
        raise CheckpointError(
            f"Generator '{architecture}' {what}. It takes: {', '.join(accepted)}."
        )
    return build(**options)


def find_architecture(name: str) -> type[nn.Module]:
    """The class of an architecture of this package by name.

    Raises:
        CheckpointError: there is none of that name; the message lists those that there are.
    """
    if name == "keras":
        from checkpoints_index.generators.keras_model import KerasGenerator

        return KerasGenerator
    if name not in ARCHITECTURES:
        known = ", ".join(sorted([*ARCHITECTURES, "keras"]))
        raise CheckpointError(
            f"No generator architecture is called '{name}'. Known: {known}, "
            "and package.module:Class for one of your own."
        )
    return ARCHITECTURES[name]
