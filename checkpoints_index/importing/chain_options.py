"""The options of a `chain` generator, from the layers of a file in their order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from checkpoints_index.errors import CheckpointError, UnusableFileError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.layers import PlacedLayer, picture_channels
from checkpoints_index.importing.refusals import MissingStridesError, UnknownHintError

CONVOLUTIONS = ("Conv2d", "ConvTranspose2d")
ACTIVATIONS: dict[str, dict[str, Any]] = {
    "relu": {"layer": "ReLU"},
    "leaky_relu": {"layer": "LeakyReLU", "negative_slope": 0.2},
}
OUTPUTS = {"tanh": {"layer": "Tanh"}, "sigmoid": {"layer": "Sigmoid"}}


@dataclass(frozen=True)
class Hints:
    """What shapes do not show, where a person says it.

    Args:
        activation: stands between layers, one of ACTIVATIONS; the usual one if None.
        output: stands behind the last layer, one of OUTPUTS.
        strides: how much each convolution behind the first grid enlarges, 1 or 2, in their order.
    """

    activation: str | None = None
    output: str = "tanh"
    strides: Sequence[int] | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Hints:
        """The hints among options that a person gave.

        Args:
            options: values by the names of the fields.

        Raises:
            UnknownHintError: there is no such option.
            CheckpointError: a value is not among those that there are.
        """
        known = list(cls.__dataclass_fields__)
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise UnknownHintError(unknown, known)
        hints = cls(**options)
        for said, names in ((hints.activation, ACTIVATIONS), (hints.output, OUTPUTS)):
            if said is not None and said not in list(names):
                raise CheckpointError(f"'{said}' is none of {', '.join(names)}.")
        strides = [] if hints.strides is None else hints.strides
        if not isinstance(strides, list | tuple) or any(s not in (1, 2) for s in strides):
            raise CheckpointError(f"strides is a list of 1 and 2, such as [2,2,1], not {strides}.")
        return hints


def describe_chain(steps: Sequence[PlacedLayer], hints: Hints) -> GeneratorSpec:
    """The spec of a `chain` that computes some layers.

    Positions in a Sequential (`main.0`, `main.1`, `main.3`) show where something without weights
    stands; what it is, and how far a convolution enlarges, are the usual (Radford et al. 2016).

    Args:
        steps: the layers, from the latent point to the picture.
        hints: what a person said about what shapes do not show.

    Raises:
        MissingStridesError: nothing shows where it enlarges.
        UnusableFileError: a convolution can neither keep the size of a grid nor double it.
        CheckpointError: the strides in the hints are not one for each convolution.
    """
    factors = choose_factors(steps, hints.strides)
    activation = ACTIVATIONS[hints.activation or usual_activation(steps)]
    first = steps[0]
    begins_as_grid = first.kind in CONVOLUTIONS
    layers = [_fold(first.taken, 1)] if begins_as_grid else []
    layers.append(_describe_layer(first, {}))
    size = first.layer.weight[-1] if begins_as_grid else 1
    for before, step in pairwise(steps):
        factor = factors.get(step.layer.name, 1)
        if _folds(before, step):
            size = math.isqrt(before.given.width // step.taken)
            layers.append(_fold(step.taken, size))
        if _activates(before, step, factor):
            layers.append(activation)
        if step.kind == "Conv2d" and factor == 2:
            layers.append({"layer": "Upsample", "scale_factor": 2})
        sizing = _sizing(step, factor) if step.kind in CONVOLUTIONS else {}
        layers.append(_describe_layer(step, sizing))
        size *= factor
    if hints.strides is None and size & (size - 1) and _is_guessed(steps):
        raise MissingStridesError(list(factors))
    given = steps[-1].given
    if not given.is_grid:
        channels = picture_channels(given.width) or 1
        size = math.isqrt(given.width // channels)
        layers.append(_fold(channels, size))
    layers.append(OUTPUTS[hints.output])
    return GeneratorSpec("chain", {"z_dim": first.taken, "image_size": size, "layers": layers})


def usual_activation(steps: Sequence[PlacedLayer]) -> str:
    """ReLU between transposed convolutions, as in the paper of DCGAN; else a leaky one."""
    kinds = {step.kind for step in steps[:-1]} | {steps[-1].kind} - {"Conv2d"}
    return "relu" if "ConvTranspose2d" in kinds and "Conv2d" not in kinds else "leaky_relu"


def choose_factors(steps: Sequence[PlacedLayer], strides: Sequence[int] | None) -> dict[str, int]:
    """How much each convolution behind the first grid enlarges.

    Args:
        steps: the layers, from the latent point to the picture.
        strides: what a person said, 1 or 2 for each of these convolutions; None for nothing.

    Returns:
        1 or 2 by the name of its layer.

    Raises:
        MissingStridesError: nothing shows it.
        UnusableFileError: a convolution makes the grid smaller.
        CheckpointError: the strides are not one for each convolution.
    """
    pairs = [(before, step) for before, step in pairwise(steps) if step.kind in CONVOLUTIONS]
    names = [step.layer.name for _, step in pairs]
    if strides is not None:
        if len(strides) != len(names):
            raise CheckpointError(
                f"strides has {len(strides)} numbers, and there are {len(names)} convolutions "
                f"behind the first grid: {', '.join(names)}."
            )
        return dict(zip(names, strides, strict=True))
    factors = [_shown_factor(before, step, steps) for before, step in pairs]
    if factors and factors[-1] is None and None not in factors[:-1]:
        factors[-1] = 1  # The colours are convolved at the size of the picture.
    if None in factors:
        raise MissingStridesError(names)
    return {name: factor or 1 for name, factor in zip(names, factors, strict=True)}


def _is_guessed(steps: Sequence[PlacedLayer]) -> bool:
    """Whether a factor may be wrong: odd transposed kernels go with strides of 1 and of 2."""
    transposed = (s.layer.weight[-1] for s in steps[1:] if s.kind == "ConvTranspose2d")
    return any(kernel % 2 for kernel in transposed)


def _shown_factor(
    before: PlacedLayer, step: PlacedLayer, steps: Sequence[PlacedLayer]
) -> int | None:
    """How much a convolution enlarges, 1 or 2, where its kernel or its position shows it."""
    kernel = step.layer.weight[-1]
    if step.kind == "ConvTranspose2d":
        others = {s.layer.weight[-1] % 2 for s in steps[:-1] if s.kind == "ConvTranspose2d"}
        at_full_size = step is steps[-1] and kernel % 2 == 1 and 0 in others
        return 1 if kernel == 1 or at_full_size else 2
    if kernel % 2 == 0:
        raise UnusableFileError(f"'{step.layer.name}' convolves {kernel} x {kernel}, which shrinks")
    free = _free_positions(before, step)
    if free is not None:
        # Behind a dense layer and its norm, a single module is the well-known example's Upsample.
        behind_stem = before.layer.is_norm and before is steps[1] and steps[0].kind == "Linear"
        return 2 if free > 1 or (free == 1 and behind_stem) else 1
    if kernel == 1:
        return 1
    position = step.layer.name.rpartition(".")[2]
    return 2 if position.isdecimal() and int(position) > 0 else None


def _activates(before: PlacedLayer, step: PlacedLayer, factor: int) -> bool:
    """Whether an activation stands between two layers, as far as positions show it."""
    free = _free_positions(before, step)
    if free is None:
        return not step.layer.is_norm
    return free > (step.kind == "Conv2d" and factor == 2)


def _free_positions(before: PlacedLayer, step: PlacedLayer) -> int | None:
    """The number of modules without weights, but for an Unflatten, between two in a Sequential."""
    (parent, _, a), (other_parent, _, b) = (s.layer.name.rpartition(".") for s in (before, step))
    if parent != other_parent or not (a.isdecimal() and b.isdecimal()):
        return None
    free = int(b) - int(a) - 1
    return max(0, free - 1) if _folds(before, step) else free


def _folds(before: PlacedLayer, step: PlacedLayer) -> bool:
    """Whether a vector becomes a grid between two layers."""
    return not before.given.is_grid and step.kind in (*CONVOLUTIONS, "BatchNorm2d")


def _fold(channels: int, size: int) -> dict[str, Any]:
    return {"layer": "Unflatten", "dim": 1, "unflattened_size": [channels, size, size]}


def _sizing(step: PlacedLayer, factor: int) -> dict[str, int]:
    """Stride and padding with which a convolution keeps the size of a grid (1) or doubles it (2).

    Raises:
        UnusableFileError: its kernel can do no such thing.
    """
    kernel = step.layer.weight[-1]
    odd = kernel % 2
    if step.kind == "Conv2d":
        return {"padding": kernel // 2}  # The Upsample before it is what doubles.
    if kernel == 1 if factor == 2 else not odd:
        does = "doubles" if factor == 2 else "keeps the size"
        raise UnusableFileError(f"'{step.layer.name}' has a kernel of {kernel}, none that {does}")
    if factor == 1:
        return {"stride": 1, "padding": kernel // 2}
    return {"stride": 2, "padding": (kernel - 1) // 2, "output_padding": odd}


def _describe_layer(step: PlacedLayer, sizing: Mapping[str, int]) -> dict[str, Any]:
    """A layer as a chain takes it."""
    layer = step.layer
    described: dict[str, Any] = {"layer": step.kind, "name": layer.name}
    if layer.is_norm:
        return {**described, "num_features": step.taken, "affine": "weight" in layer.shapes}
    taken, given, bias = step.taken, step.given.width, "bias" in layer.shapes
    if step.kind == "Linear":
        return {**described, "in_features": taken, "out_features": given, "bias": bias}
    channels = {"in_channels": taken, "out_channels": given, "kernel_size": layer.weight[-1]}
    return {**described, **channels, **sizing, "bias": bias}
