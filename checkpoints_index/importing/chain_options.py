"""The options of a `chain` generator, from the layers of a file in their order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.chains.geometry import (
    CONVOLUTIONS,
    Geometry,
    Sizing,
    choose_geometry,
    folds,
    free_positions,
)
from checkpoints_index.importing.chains.hints import OUTPUTS, USUAL_EPS, Hints, Layer
from checkpoints_index.importing.layers import PlacedLayer, picture_channels


@dataclass(frozen=True)
class DescribedChain:
    """A chain, and what of it is assumed.

    Args:
        spec: the generator.
        geometry: the sizes of its grids.
        guessed_norm: the normalisation without weights that was put where positions leave room
            for one, "none" where it was left out; None where there is no such room.
    """

    spec: GeneratorSpec
    geometry: Geometry
    guessed_norm: str | None


def describe_chain(steps: Sequence[PlacedLayer], hints: Hints) -> DescribedChain:
    """The spec of a `chain` that computes some layers.

    Positions in a Sequential (`main.0`, `main.1`, `main.3`) show where something without weights
    stands; what it is, and how far a convolution enlarges, are the usual (Radford et al. 2016).

    Args:
        steps: the layers, from the latent point to the picture.
        hints: what a person said about what shapes do not show.

    Raises:
        MissingStridesError: nothing shows where it enlarges.
        UnusableFileError: a convolution can neither keep the size of a grid nor double it.
        CheckpointError: the strides, the size or the epses in the hints cannot be.
    """
    geometry = choose_geometry(steps, hints.strides, hints.image_size, hints.norm)
    activation = hints.describe_activation(usual_activation(steps))
    norm = _guess_norm(steps, geometry, hints)
    first = steps[0]
    norms = [step.layer.name for step in steps if step.layer.is_norm]
    epses = dict(zip(norms, hints.list_epses(norms), strict=True))
    layers = [_fold(first.taken, 1)] if first.kind in CONVOLUTIONS else []
    layers.append(_describe_layer(first, {}, epses))
    for before, step in pairwise(steps):
        sizing = geometry.sizings.get(step.layer.name)
        if folds(before, step):
            layers.append(_fold(step.taken, math.isqrt(before.given.width // step.taken)))
        layers += _between(before, step, sizing, activation, norm)
        if sizing and sizing.upsample > 1:
            layers.append(_upsample(sizing.upsample, hints))
        layers.append(_describe_layer(step, sizing.options if sizing else {}, epses))
    size, given = geometry.image_size or first.layer.weight[-1], steps[-1].given
    if not given.is_grid:
        channels = picture_channels(given.width) or 1
        size = math.isqrt(given.width // channels)
        layers.append(_fold(channels, size))
    layers.append(OUTPUTS[hints.output or "tanh"])
    spec = GeneratorSpec("chain", {"z_dim": first.taken, "image_size": size, "layers": layers})
    return DescribedChain(spec, geometry, norm)


def usual_activation(steps: Sequence[PlacedLayer]) -> str:
    """ReLU between transposed convolutions, as in the paper of DCGAN; else a leaky one."""
    kinds = {step.kind for step in steps[:-1]} | {steps[-1].kind} - {"Conv2d"}
    return "relu" if "ConvTranspose2d" in kinds and "Conv2d" not in kinds else "leaky_relu"


def _between(
    before: PlacedLayer,
    step: PlacedLayer,
    sizing: Sizing | None,
    activation: Layer,
    norm: str | None,
) -> list[Layer]:
    """What stands between two layers without weights: an activation, a normalisation, nothing."""
    if not _activates(before, step, sizing):
        return []
    if not _has_room(before, step, sizing):
        return [dict(activation)]
    if norm == "instance":
        return [{"layer": "InstanceNorm2d", "num_features": before.given.width}, dict(activation)]
    return [dict(activation), *([{"layer": "PixelNorm"}] if norm == "pixel" else [])]


def _guess_norm(steps: Sequence[PlacedLayer], geometry: Geometry, hints: Hints) -> str | None:
    """The normalisation without weights where positions leave room for one.

    Convolutions without a bias are followed by something that would take it away again.
    """
    rooms = [
        before
        for before, step in pairwise(steps)
        if _has_room(before, step, geometry.sizings.get(step.layer.name))
    ]
    if not rooms:
        return None
    biased = any("bias" in before.layer.shapes for before in rooms)
    return hints.norm or ("none" if biased else "instance")


def _has_room(before: PlacedLayer, step: PlacedLayer, sizing: Sizing | None) -> bool:
    """Whether positions show two modules without weights behind a convolution."""
    free = free_positions(before, step)
    return before.kind in CONVOLUTIONS and free is not None and free - _upsamples(sizing) == 2


def _activates(before: PlacedLayer, step: PlacedLayer, sizing: Sizing | None) -> bool:
    """Whether an activation stands between two layers, as far as positions show it."""
    free = free_positions(before, step)
    if free is None:
        return not step.layer.is_norm
    return free > _upsamples(sizing)


def _upsamples(sizing: Sizing | None) -> int:
    return 1 if sizing and sizing.upsample > 1 else 0


def _upsample(factor: int, hints: Hints) -> Layer:
    layer: Layer = {"layer": "Upsample", "scale_factor": factor}
    return {**layer, "mode": "bilinear"} if hints.upsampling == "bilinear" else layer


def _fold(channels: int, size: int) -> Layer:
    return {"layer": "Unflatten", "dim": 1, "unflattened_size": [channels, size, size]}


def _describe_layer(step: PlacedLayer, sizing: dict[str, int], epses: Mapping[str, float]) -> Layer:
    """A layer as a chain takes it; `epses` are those of batch norms, by their names."""
    layer = step.layer
    described: dict[str, Any] = {"layer": step.kind, "name": layer.name}
    if layer.is_norm:
        eps = {} if epses[layer.name] == USUAL_EPS else {"eps": epses[layer.name]}
        affine = "weight" in layer.shapes
        return {**described, "num_features": step.taken, "affine": affine, **eps}
    taken, given, bias = step.taken, step.given.width, "bias" in layer.shapes
    if step.kind == "Linear":
        return {**described, "in_features": taken, "out_features": given, "bias": bias}
    channels = {"in_channels": taken, "out_channels": given, "kernel_size": layer.weight[-1]}
    return {**described, **channels, **sizing, "bias": bias}
