"""Spaces by their names: which ones a generator has, and what their numbers are."""

from __future__ import annotations

from torch import nn

from checkpoints_index.generators.foreign import first_line, import_class
from latent.nearness.features import Space, has_mapping
from studio.workspace.errors import StudioError

UNITS = {
    "z": "standard deviations of z",
    "w": "units of w",
    "pictures": "root of summed squares of 16 x 16 pixels in three colours, black -1 to white 1",
    "activations": "root of summed squares of 4 x 4 means, each layer scaled by its size",
    "features": "units of the network's features",
}


def build_space(name: str, layer: str | None = None, network: str | None = None) -> Space:
    """A space as a person names it.

    Args:
        name: one of `latent.nearness.features.SPACES`.
        layer: one layer, of activations.
        network: `package.module:Class` of a module that is made without arguments, loads its own
            weights, and turns pictures float32 [N, 3, H, W] in -1..1 into features; of features.

    Raises:
        LatentError: no such space, or a layer or a network where it has no meaning.
        CheckpointError: there is no such class.
        StudioError: it cannot be made.
    """
    if network is None:
        return Space(name, layer)
    made = import_class(network)
    try:
        built: nn.Module = made().eval().requires_grad_(False)
    except Exception as error:  # Somebody else's code may raise anything.
        raise StudioError(
            f"The network '{network}' cannot be made: {first_line(error)}. It takes no arguments, "
            "and loads its own weights."
        ) from error
    return Space(name, layer, built, network)


def plain_spaces(G: nn.Module) -> list[str]:
    """The spaces of a generator that need nothing else."""
    return ["z", *(["w"] if has_mapping(G) else []), "activations", "pictures"]


def name_unit(space: str, metric: str) -> str:
    """What the numbers of a distance are, in words."""
    return "1 - cosine of the angle" if metric == "cosine" else UNITS[space]
