"""Activations, eps and latent points of a chain, told by the running statistics of its batch norms.

A norm's running mean and variance were measured on what flows into it. Candidates for what stands
in front of it are tried on random latent points; the one whose flow has these statistics is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import torch
from torch import Tensor

from checkpoints_index.generators.chain import build_layer
from checkpoints_index.generators.spec import NORMAL, Z_DISTRIBUTIONS, GeneratorSpec
from checkpoints_index.importing.chains.hints import (
    ACTIVATIONS,
    USUAL_EPS,
    Hints,
    Layer,
    say_epses,
    say_layer,
)

CANDIDATES: tuple[Layer, ...] = tuple(ACTIVATIONS.values())
KINDS = {layer["layer"] for layer in CANDIDATES}
EPSES = (USUAL_EPS, 1e-3, 0.8)  # PyTorch's, Keras', and that of the best-known collection of GANs.
# Tried where none of those fits well: whoever means momentum writes any number as eps.
MORE_EPSES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
STEPS_OF_EPS = (1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, *(tenth / 10 for tenth in range(1, 11)))
SLOPES = (0.01, 0.1, 0.3)  # PyTorch's default, one that is often chosen, and Keras' default.
NORMS = ("BatchNorm1d", "BatchNorm2d")
MAX_MISFIT = 0.12  # Above it, no candidate is what the statistics were measured on.
HOPELESS = 4 * MAX_MISFIT  # Above it, a candidate is not even near to one that is.
GOOD_FIT = 0.04  # Below it, no other distribution of latent points is tried.
MIN_GAIN = (
    0.8  # Another than the usual is taken where its misfit is below this part of the usual's.
)
# Norms with an eps of their own fit more easily, so they have to fit that much better.
MIN_GAIN_OF_EACH = 0.5
MAX_POINTS, MAX_NUMBERS = 512, 1 << 18  # Latent points, and numbers of a flow, that are tried.
SEED = 0


@dataclass
class Fit:
    """What statistics told of a chain.

    Args:
        layers: the chain with what was told, or as it was where nothing was.
        misfit: how far its statistics are off, as a part of 1; None where nothing was told.
        z_distribution: what was said or told of its latent points; normal where nothing was.
    """

    layers: list[Layer]
    misfit: float | None = None
    z_distribution: str = NORMAL

    def say(self) -> str:
        """What was told, in words; "" for nothing."""
        if self.misfit is None:
            return ""
        kinds = [say_layer(layer) for layer in self.layers[:-1] if layer["layer"] in KINDS]
        norms = [layer for layer in self.layers if layer["layer"] in NORMS]
        said = [
            f"{self.z_distribution} z",
            *kinds,
            *([f"eps {say_epses(norms[:-1])}"] if norms[:-1] else []),
        ]
        percent = max(1, round(100 * self.misfit))
        return f"{', '.join(dict.fromkeys(said))}: statistics of batch norm fit to {percent} %."


@torch.inference_mode()
def fit_chain(
    layers: Sequence[Layer],
    weights: Mapping[str, Tensor],
    hints: Hints,
    z_distribution: str | None = None,
) -> Fit:
    """Choose activation, eps and latent points of a chain by the statistics of its batch norms.

    All norms judge one activation for the whole chain, and one eps, as most networks have them:
    one norm alone is too easily content with a wrong one. Where that does not fit well, each norm
    is given the eps that the norm behind it tells, and further epses are tried for all. At last the
    slope of a leaky ReLU is told.

    Args:
        layers: the chain as it usually is.
        weights: its state dict.
        hints: what a person said, which stays.
        z_distribution: what a person said of its latent points; None: to be told.
    """
    variants = list(_variants(layers, hints))
    z = next(layer for layer in layers if "in_features" in layer or "in_channels" in layer)
    normal = _draw(layers, z.get("in_features") or z["in_channels"])
    tried = [z_distribution] if z_distribution else list(Z_DISTRIBUTIONS)
    flows = {
        name: GeneratorSpec("chain", {}, z_distribution=name).shape_z(normal) for name in tried
    }
    search = _Search(weights, flows, Fit(variants[0], None, tried[0]))
    if any(_is_measured(layer["name"], weights) for layer in layers if layer["layer"] in NORMS):
        search.try_all(product(tried, variants), MIN_GAIN)
    if hints.norm_eps is None and GOOD_FIT <= search.least < math.inf:
        usual_eps = _variants(layers, replace(hints, norm_eps=USUAL_EPS))
        likely = dict.fromkeys((tried[0], search.best.z_distribution))
        usual = list(product(likely, usual_eps))
        own = ((n, _with_own_epses(v, weights, flows[n])) for n, v in usual)
        search.try_all(own, MIN_GAIN_OF_EACH)
        if search.least >= GOOD_FIT:
            search.try_more_epses(usual)
    if search.least < math.inf and hints.activation is None and hints.slope is None:
        search.try_slopes()
    if search.least > MAX_MISFIT or len(tried) + len(variants) < 3:
        return Fit([dict(layer) for layer in layers], None, tried[0])
    return replace(search.best, misfit=search.least)


class _Search:
    """A search for the chain whose flow fits the statistics of its norms best.

    Attributes:
        best: the best one so far.
        least: its misfit.
    """

    def __init__(self, weights: Mapping[str, Tensor], flows: Mapping[str, Tensor], usual: Fit):
        self._weights, self._flows, self.best = weights, flows, usual
        self.least = _misfit(usual.layers, weights, flows[usual.z_distribution])

    def try_all(self, variants: Iterable[tuple[str, list[Layer]]], gain: float) -> None:
        """Take the best of some variants, each with the distribution of its latent points.

        Args:
            gain: the first one that is taken has a misfit below this part of the least so far.
        """
        for distribution, layers in variants:
            if self.least < GOOD_FIT and distribution != self.best.z_distribution:
                break  # The one before fits as well as any can.
            limit = min(gain * self.least, HOPELESS)
            misfit = _misfit(layers, self._weights, self._flows[distribution], limit)
            if misfit < limit:
                self.best, self.least = Fit(layers, None, distribution), misfit
                gain = 1.0

    def try_more_epses(self, usual: Sequence[tuple[str, list[Layer]]]) -> None:
        """Give all norms one of further epses, where that fits better than what is the best.

        From the best of those, eps goes up or down in small steps while that fits better.

        Args:
            usual: the chain with each activation, for the case that nothing fits so far.
        """
        fits = self.least <= MAX_MISFIT
        likely = [(self.best.z_distribution, self.best.layers)] if fits else usual
        more = ((n, _with_eps(v, eps)) for (n, v), eps in product(likely, MORE_EPSES))
        self.try_all(more, MIN_GAIN)
        for steps in (STEPS_OF_EPS, STEPS_OF_EPS[::-1]):
            self._walk(steps)

    def _walk(self, steps: Sequence[float]) -> None:
        """Take the next of some epses, and the one after it, while each fits better."""
        norms = [layer for layer in self.best.layers if layer["layer"] in NORMS]
        epses = {norm.get("eps", USUAL_EPS) for norm in norms}
        at = steps.index(*epses) if len(epses) == 1 and epses <= {*steps} else len(steps)
        for eps in steps[at + 1 :]:
            before = self.least
            gain = MIN_GAIN if epses <= {*EPSES} else 1.0  # A usual one stays unless it is worse.
            self.try_all([(self.best.z_distribution, _with_eps(self.best.layers, eps))], gain)
            if self.least == before:
                break
            epses = {eps}

    def try_slopes(self) -> None:
        """Put a leaky ReLU of another slope between layers, where that fits better."""
        *inside, last = self.best.layers
        for slope in SLOPES:
            leaky = {"layer": "LeakyReLU", "negative_slope": slope}
            sloped = [*(_replaced(layer, leaky, None) for layer in inside), dict(last)]
            self.try_all([(self.best.z_distribution, sloped)], MIN_GAIN)


def _with_own_epses(
    layers: Sequence[Layer], weights: Mapping[str, Tensor], flow: Tensor
) -> list[Layer]:
    """The chain with that eps in each norm with which the statistics of the next one fit best.

    The last norm, behind which nothing tells it, is given that of the one before.
    """
    chosen = [dict(layer) for layer in layers]
    norms = [i for i, layer in enumerate(layers) if layer["layer"] in NORMS]
    for layer in layers[: norms[0]]:
        flow = _pass_through(layer, weights, flow)
    for at, behind in pairwise(norms):
        least = math.inf
        for eps in EPSES:
            norm, passed = _replaced(layers[at], None, eps), flow
            for layer in (norm, *layers[at + 1 : behind]):
                passed = _pass_through(layer, weights, passed)
            misfit = _difference(passed, layers[behind]["name"], weights)
            if misfit < least:
                least, chosen[at], best = misfit, norm, passed
        if least == math.inf:
            break  # Nothing that is no number fits anything.
        chosen[norms[-1]] = _replaced(layers[norms[-1]], None, chosen[at].get("eps"))
        flow = best
    return chosen


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


def _with_eps(layers: Sequence[Layer], eps: float) -> list[Layer]:
    return [_replaced(layer, None, eps) for layer in layers]


def _replaced(layer: Layer, activation: Layer | None, eps: float | None) -> Layer:
    if activation is not None and layer["layer"] in KINDS:
        return dict(activation)
    if eps not in (None, USUAL_EPS) and layer["layer"] in NORMS:
        return {**layer, "eps": eps}
    return layer


def _misfit(
    layers: Sequence[Layer], weights: Mapping[str, Tensor], flow: Tensor, limit: float = math.inf
) -> float:
    """How far the statistics of what flows into the norms are off, as a part of 1.

    Args:
        limit: above it, the norms that are left are not looked at.

    Returns:
        The root of the mean square over all norms that were measured; infinity without any, and
        above the limit.
    """
    norms = [layer["name"] for layer in layers if layer["layer"] in NORMS]
    measured = [name for name in norms if _is_measured(name, weights)]
    squares = 0.0
    for layer in layers if measured else ():
        if layer.get("name") in measured:
            squares += _difference(flow, layer["name"], weights) ** 2 / len(measured)
            if not squares <= limit**2:  # Neither where it is no number.
                return math.inf
            if layer["name"] == measured[-1]:
                return math.sqrt(squares)
        flow = _pass_through(layer, weights, flow)
    return math.inf


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
