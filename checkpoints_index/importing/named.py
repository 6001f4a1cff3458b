"""The spec of a generator that a person names: a class of theirs, or one of this package."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from checkpoints_index.errors import CheckpointError, MissingZDimError
from checkpoints_index.generators.architectures import find_architecture
from checkpoints_index.generators.foreign import SIZES, import_class
from checkpoints_index.generators.spec import GeneratorSpec

Z_DIM_NAMES = ("z_dim", "nz", "latent_dim", "noise_dim", "z_size", "latent_size")


def spec_by_name(name: str, options: Mapping[str, Any]) -> GeneratorSpec:
    """The spec with z_dim and image_size among its options; one latent point was tried on it.

    Args:
        name: `package.module:Class`, or an architecture of this package.
        options: what it is constructed with, of JSON's types.

    Raises:
        GeneratorOptionsError: it does not take the options, or no z of that length.
        CheckpointError: there is no such generator.
    """
    given = _as_json(options)
    kind = import_class(name) if ":" in name else find_architecture(name)
    known = {**_defaults(kind), **given}
    G = GeneratorSpec(name, given).build()
    z_dims = (known[key] for key in Z_DIM_NAMES if isinstance(known.get(key), int))
    sizes = {"z_dim": next(z_dims, None) or _first_width(name, G)}
    sizes["image_size"] = _measure(G, sizes["z_dim"])
    stated = {key: known[key] for key in SIZES if isinstance(known.get(key), int)}
    return GeneratorSpec(name, {**given, **sizes, **stated})


def _as_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as a run's description gives them back: tuples become lists."""
    try:
        kept: dict[str, Any] = json.loads(json.dumps(dict(options), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"The options {dict(options)} cannot be kept with a run: {error}. "
            "Use numbers, texts, lists, True, False and None."
        ) from error
    return kept


def _defaults(kind: type[nn.Module]) -> dict[str, Any]:
    return {name: taken.default for name, taken in inspect.signature(kind).parameters.items()}


def _first_width(name: str, G: nn.Module) -> int:
    """The number of channels that the first layer takes, which is the length of z."""
    for module in G.modules():
        if isinstance(module, nn.Linear):
            return module.in_features
        if isinstance(module, nn.ConvTranspose2d):
            return module.in_channels
    raise MissingZDimError(name)


@torch.inference_mode()
def find_noise(G: nn.Module, z_dim: int) -> str | None:
    """A remark about a generator that draws noise when it is called; None for one that does not.

    One latent point is rendered twice.

    Args:
        G: the generator, in eval mode, with the weights of a checkpoint.
        z_dim: length of a latent point.

    Raises:
        CheckpointError: two pictures of the point differ in spite of its seed.
    """
    z = torch.randn(1, z_dim, generator=torch.Generator().manual_seed(0))
    if not torch.equal(torch.nan_to_num(G(z)), torch.nan_to_num(G(z))):
        raise CheckpointError(
            f"'{type(G).__name__}' draws another picture of the same latent point each time, by "
            "random numbers that torch.manual_seed does not govern, so that no frame could be "
            "drawn again. Draw its noise by torch.randn, or leave it out in eval mode."
        )
    if getattr(G, "draws_noise", False):
        return (
            "It draws noise when it is called. The noise is seeded by the latent point, so that a "
            "point has one picture at each batch; pictures of a CPU and of a GPU differ in it."
        )
    return None


@torch.inference_mode()
def _measure(G: nn.Module, z_dim: int) -> int:
    """Width in px of the picture of one latent point."""
    return int(G(torch.randn(1, z_dim)).shape[-1])
