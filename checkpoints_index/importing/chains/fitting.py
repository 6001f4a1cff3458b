"""Activations and eps of a chain, told by the running statistics of its batch norms.

A norm's running mean and variance were measured on what flows into it. Candidates for what stands
in front of it are tried on random latent points; the one whose flow has these statistics is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
MAX_MISFIT = 0.09  # Above it, no candidate is what the statistics were measured on.
MAX_TOLD_MISFIT, MAX_PART = 0.15, 0.15  # A worse one is taken where the usual is far worse still.
MIN_GAIN = (
    0.8  # Another than the usual is taken where its misfit is below this part of the usual's.
)
MAX_POINTS, MAX_NUMBERS = 512, 1 << 18  # Latent points, and numbers of a flow, that are tried.
SEED = 0


@dataclass
class Fit:
    """What statistics told of a chain.

    Args:
        layers: the chain with what was told, and with the same where nothing tells.
        activations: those that were told.
        epses: those of norms that were told.
        misfit: the largest difference to the statistics, as a part of 1; None where none told.
    """

    layers: list[Layer]
    activations: list[Layer] = field(default_factory=list)
    epses: list[float] = field(default_factory=list)
    misfit: float | None = None

    def say(self) -> str:
        """What was told, in words; "" for nothing."""
        said = list(dict.fromkeys(say_layer(layer) for layer in self.activations))
        said += [f"eps {eps:g}" for eps in dict.fromkeys(self.epses)]
        if self.misfit is None or not said:
            return ""
        percent = max(1, round(100 * self.misfit))
        return f"{', '.join(said)}: statistics of batch norm fit to {percent} %."


@torch.inference_mode()
def fit_chain(layers: Sequence[Layer], weights: Mapping[str, Tensor], hints: Hints) -> Fit:
    """Choose activations and eps by the statistics of batch norms.

    Args:
        layers: the chain as it usually is.
        weights: its state dict.
        hints: what a person said, which stays.
    """
    fit = Fit([dict(layer) for layer in layers])
    told: set[int] = set()
    z = next(layer for layer in layers if "in_features" in layer or "in_channels" in layer)
    z_dim = z.get("in_features") or z["in_channels"]
    flow, start = _draw(layers, z_dim), 0
    for end in (i for i, layer in enumerate(layers) if layer["layer"] in NORMS):
        if not _is_measured(layers[end]["name"], weights):
            break
        chosen, misfit, flow = _fit_segment(fit.layers[start : end + 1], weights, flow, hints)
        if misfit < float("inf"):
            fit.misfit = max(misfit, fit.misfit or 0.0)
            fit.layers[start:end] = chosen
            told.update(range(start, end))
            fit.activations += [layer for layer in chosen if layer["layer"] in KINDS]
            fit.epses += [n.get("eps", USUAL_EPS) for n in chosen if n["layer"] in NORMS]
        start = end
    _spread(fit, told, hints)
    return fit


def _fit_segment(
    segment: Sequence[Layer], weights: Mapping[str, Tensor], flow: Tensor, hints: Hints
) -> tuple[list[Layer], float, Tensor]:
    """The layers from one norm to the next whose flow has the next one's statistics.

    Returns:
        Those layers but for the norm at the end, how far they are off, and what flows out of them.
    """
    *inside, norm = segment
    mean, var = (weights[f"{norm['name']}.running_{kind}"] for kind in ("mean", "var"))
    usual, *others = _variants(inside, hints)
    best, least, out = usual, *_try(usual, weights, flow, mean, var)
    at_first = least
    limit = MIN_GAIN
    for variant in others:
        misfit, given = _try(variant, weights, flow, mean, var)
        if misfit < limit * least:
            best, least, out, limit = variant, misfit, given, 1.0
    is_told = least <= MAX_MISFIT or least <= min(MAX_TOLD_MISFIT, MAX_PART * at_first)
    return best, least if is_told else float("inf"), out


def _variants(inside: Sequence[Layer], hints: Hints) -> Iterator[list[Layer]]:
    """The usual layers, then the same with other activations and another eps."""
    stated = hints.activation is not None or hints.slope is not None
    activations = [layer for layer in inside if layer["layer"] in KINDS]
    kinds = [activations[0], *CANDIDATES] if activations and not stated else [None]
    has_norm = any(layer["layer"] in NORMS for layer in inside)
    epses = EPSES if has_norm and hints.norm_eps is None else [None]
    for kind, eps in product(kinds, epses):
        yield [_replaced(layer, kind, eps) for layer in inside]


def _replaced(layer: Layer, activation: Layer | None, eps: float | None) -> Layer:
    if activation is not None and layer["layer"] in KINDS:
        return dict(activation)
    if eps not in (None, USUAL_EPS) and layer["layer"] in NORMS:
        return {**layer, "eps": eps}
    return layer


def _try(
    layers: Sequence[Layer], weights: Mapping[str, Tensor], flow: Tensor, mean: Tensor, var: Tensor
) -> tuple[float, Tensor]:
    """How far the statistics of what flows out of some layers are off, as a part of 1."""
    for described in layers:
        layer = build_layer(described)  # Norms take the statistics of what flows, as in training.
        if "name" in described:
            prefix = described["name"] + "."
            own = {key: weights[prefix + key].float() for key in layer.state_dict()}
            layer.load_state_dict(own)
        flow = layer(flow)
    axes = [axis for axis in range(flow.ndim) if axis != 1]
    scale = var.float().clamp_min(1e-12)
    shift = (flow.mean(axes) - mean).square().div(scale).mean().sqrt()
    spread = flow.var(axes).clamp_min(1e-12).div(scale).log().div(2).square().mean().sqrt()
    misfit = float(torch.maximum(shift, spread))
    return (misfit if misfit == misfit else float("inf")), flow


def _spread(fit: Fit, told: set[int], hints: Hints) -> None:
    """Take what was told where nothing tells: behind the last norm."""
    if fit.activations and hints.activation is None and hints.slope is None:
        usual = Counter(map(say_layer, fit.activations)).most_common(1)[0][0]
        common = next(layer for layer in fit.activations if say_layer(layer) == usual)
        for at, layer in enumerate(fit.layers[:-1]):
            if at not in told and layer["layer"] in KINDS:
                fit.layers[at] = dict(common)
    if fit.epses and hints.norm_eps is None:
        for at, layer in enumerate(fit.layers):
            if at not in told and layer["layer"] in NORMS:
                fit.layers[at] = _replaced(layer, None, fit.epses[-1])


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
