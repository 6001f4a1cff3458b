"""Activations and eps of a chain, told by the running statistics of its batch norms.

A norm's running mean and variance were measured on what flows into it. Candidates for what stands
in front of it are tried on random latent points; the one whose flow has these statistics is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from checkpoints_index.generators.chain import build_layer
from checkpoints_index.importing.chains.hints import (
    ACTIVATIONS,
    USUAL_EPS,
    Hints,
    Layer,
    say_layer,
)

# Slopes other than the usual one are too near to each other for statistics to tell them apart.
CANDIDATES: tuple[Layer, ...] = tuple(ACTIVATIONS.values())
KINDS = {layer["layer"] for layer in CANDIDATES}
EPSES = (USUAL_EPS, 1e-3, 0.8)  # PyTorch's, Keras', and that of the best-known collection of GANs.
NORMS = ("BatchNorm1d", "BatchNorm2d")
MAX_MISFIT = 0.12  # Above it, no candidate is what the statistics were measured on.
MIN_GAIN = (
    0.8  # Another than the usual is taken where its misfit is below this part of the usual's.
)
MAX_POINTS, MAX_NUMBERS = 512, 1 << 18  # Latent points, and numbers of a flow, that are tried.
SEED = 0


@dataclass
class Fit:
    """What statistics told of a chain.

    Args:
        layers: the chain with what was told, or as it was where nothing was.
        misfit: how far its statistics are off, as a part of 1; None where nothing was told.
    """

    layers: list[Layer]
    misfit: float | None = None

    def say(self) -> str:
        """What was told, in words; "" for nothing."""
        if self.misfit is None:
            return ""
        kinds = [say_layer(layer) for layer in self.layers[:-1] if layer["layer"] in KINDS]
        norms = [layer for layer in self.layers if layer["layer"] in NORMS]
        said = [*kinds, *(f"eps {norm.get('eps', USUAL_EPS):g}" for norm in norms[:-1])]
        percent = max(1, round(100 * self.misfit))
        return f"{', '.join(dict.fromkeys(said))}: statistics of batch norm fit to {percent} %."


@torch.inference_mode()
def fit_chain(layers: Sequence[Layer], weights: Mapping[str, Tensor], hints: Hints) -> Fit:
    """Choose the activation and the eps of a chain by the statistics of its batch norms.

    All norms judge one activation and one eps for the whole chain, as networks have them: one
    norm alone is too easily content with a wrong one.

    Args:
        layers: the chain as it usually is.
        weights: its state dict.
        hints: what a person said, which stays.
    """
    usual, *others = _variants(layers, hints)
    z = next(layer for layer in layers if "in_features" in layer or "in_channels" in layer)
    flow = _draw(layers, z.get("in_features") or z["in_channels"])
    best, least, limit = usual, _misfit(usual, weights, flow), MIN_GAIN
    for variant in others:
        misfit = _misfit(variant, weights, flow)
        if misfit < limit * least:
            best, least, limit = variant, misfit, 1.0
    if least > MAX_MISFIT or not others:
        return Fit([dict(layer) for layer in layers])
    return Fit(best, least)


def _variants(layers: Sequence[Layer], hints: Hints) -> Iterator[list[Layer]]:
    """The usual chain, then the same with other activations and another eps."""
    stated = hints.activation is not None or hints.slope is not None
    *inside, last = layers  # The last activation stands behind the last norm, which cannot tell it.
    activations = [layer for layer in inside if layer["layer"] in KINDS]
    kinds = [None, *CANDIDATES] if activations and not stated else [None]
    has_norm = any(layer["layer"] in NORMS for layer in inside)
    epses = EPSES if has_norm and hints.norm_eps is None else [None]
    for kind, eps in product(kinds, epses):
        yield [*(_replaced(layer, kind, eps) for layer in inside), dict(last)]


def _replaced(layer: Layer, activation: Layer | None, eps: float | None) -> Layer:
    if activation is not None and layer["layer"] in KINDS:
        return dict(activation)
    if eps not in (None, USUAL_EPS) and layer["layer"] in NORMS:
        return {**layer, "eps": eps}
    return layer


def _misfit(layers: Sequence[Layer], weights: Mapping[str, Tensor], flow: Tensor) -> float:
    """How far the statistics of what flows into the norms are off, as a part of 1.

    Returns:
        The root of the mean square over all norms that were measured; infinity without any.
    """
    found: list[float] = []
    measured = [i for i, layer in enumerate(layers) if layer["layer"] in NORMS]
    for layer in layers[: measured[-1] + 1] if measured else ():
        if layer["layer"] in NORMS and _is_measured(layer["name"], weights):
            found.append(_difference(flow, layer["name"], weights))
        flow = _pass_through(layer, weights, flow)
    if not found or not all(math.isfinite(each) for each in found):
        return math.inf
    return math.sqrt(sum(each**2 for each in found) / len(found))


def _pass_through(described: Layer, weights: Mapping[str, Tensor], flow: Tensor) -> Tensor:
    """What flows out of a layer; norms take the statistics of what flows, as in training."""
    layer = build_layer(described)
    if "name" in described:
        prefix = described["name"] + "."
        own = {key: weights[prefix + key].float() for key in layer.state_dict()}
        layer.load_state_dict(own)
    out: Tensor = layer(flow)
    return out


def _difference(flow: Tensor, norm: str, weights: Mapping[str, Tensor]) -> float:
    """How far the mean and the deviation of a flow are from those of a norm, as a part of 1."""
    mean, var = (weights[f"{norm}.running_{kind}"].float() for kind in ("mean", "var"))
    axes = [axis for axis in range(flow.ndim) if axis != 1]
    scale = var.clamp_min(1e-12)
    shift = (flow.mean(axes) - mean).square().div(scale).mean().sqrt()
    spread = flow.var(axes).clamp_min(1e-12).div(scale).log().div(2).square().mean().sqrt()
    return float(torch.maximum(shift, spread))


def _is_measured(norm: str, weights: Mapping[str, Tensor]) -> bool:
    """Whether a norm's statistics are others than those that it begins with."""
    return bool((weights[f"{norm}.running_mean"] != 0).any())


def _draw(layers: Sequence[Layer], z_dim: int) -> Tensor:
    """Seeded latent points, as many as the width of the chain leaves room for."""
    widest, size = 1, 1
    for layer in layers:
        size = layer["unflattened_size"][-1] if "unflattened_size" in layer else size
        size *= layer.get("stride", 1) * layer.get("scale_factor", 1)
        widest = max(widest, layer.get("out_channels", 1) * size**2, layer.get("out_features", 1))
    count = min(MAX_POINTS, max(4, MAX_NUMBERS // widest))
    return torch.randn(count, z_dim, generator=torch.Generator().manual_seed(SEED))
