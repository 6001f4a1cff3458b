"""Which units go and which come: vacuum, cull, widen and deepen, before anything is changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from checkpoints_index import GeneratorSpec
from checkpoints_index.generators.architectures import find_reshapable
from checkpoints_index.generators.units.hidden_layers import HiddenLayer
from checkpoints_index.generators.units.liveness import UnitOutputs, measure_units
from checkpoints_index.generators.units.reshaping import (
    add_constants,
    add_kept,
    add_units,
    keep_units,
    largest_read,
    read_norms,
)
from studio.workspace.errors import StudioError

Weights = Mapping[str, Tensor]
NORM_STATISTICS = ("running_mean", "running_var")
SQUARES = "exp_avg_sq"  # The name under which Adam keeps the mean of squared gradients.


@dataclass(frozen=True)
class LayerChange:
    """What becomes of one layer.

    Attributes:
        before, after: how many units it has.
    """

    layer: str
    before: int
    after: int


@dataclass(frozen=True)
class Reshaping:
    """A change of a network's layers, for its weights and for what optimisers keep beside them.

    Attributes:
        before, after: the networks.
        layers: the hidden layers of the one before.
        kept: for layers that lose units, those that stay.
        constants: by network: what units give that go although they give something, which never
            changes; see `add_constants`.
        fresh: the weights of a larger network, untrained; None for one that loses units.
        inputs: what the networks are run on, by which batch norm knows new channels.
    """

    before: GeneratorSpec
    after: GeneratorSpec
    layers: Sequence[HiddenLayer]
    inputs: Sequence[Tensor]
    kept: Mapping[str, Sequence[int]] = field(default_factory=dict)
    constants: Mapping[str, Mapping[str, Mapping[int, Tensor]]] = field(default_factory=dict)
    fresh: Weights | None = None

    def weights(self, weights: Weights, network: str) -> dict[str, Tensor]:
        """The weights of a network afterwards.

        Args:
            network: its name, such as G_ema; constants are its own.
        """
        if self.fresh is None:
            summed = add_constants(weights, self.layers, self.constants.get(network, {}))
            return keep_units(summed, self.layers, self.kept)
        grown = add_units(weights, self.fresh, self.layers)
        return _settle_norms(self.after, grown, weights, self.inputs)

    def slots(self, tensors: Weights, kind: str) -> dict[str, Tensor]:
        """One kind of what an optimiser keeps, by the names of weights.

        New weights have moved nowhere yet. Their squared gradients are taken to be as large as
        those of others: Adam, whose steps are long past their beginning, would divide the first
        gradients of new weights by nearly nothing.
        """
        if self.fresh is None:
            return keep_units(tensors, self.layers, self.kept)
        shapes = {name: tensor.shape for name, tensor in self.fresh.items()}
        return add_kept(tensors, shapes, means=kind == SQUARES)

    @property
    def changes(self) -> list[LayerChange]:
        """Each hidden layer of either network, with its units before and after."""
        units = {layer.name: layer.units for layer in self.layers}
        after = {layer.name: layer.units for layer in list_layers(self.after)}
        return [
            LayerChange(name, units.get(name, 0), after.get(name, 0)) for name in {**units, **after}
        ]


def list_layers(spec: GeneratorSpec) -> list[HiddenLayer]:
    """The hidden layers of a generator.

    Raises:
        CheckpointError: it does not say where its units are.
    """
    return find_reshapable(spec.architecture).hidden_layers(spec.options)


def choose_layers(spec: GeneratorSpec, names: Sequence[str]) -> list[HiddenLayer]:
    """The layers of some names; all of them where none is named.

    Raises:
        StudioError: there is no such layer; the text lists those that there are.
        CheckpointError: as `list_layers`.
    """
    layers = list_layers(spec)
    known = [layer.name for layer in layers]
    for name in names:
        if name not in known:
            raise StudioError(f"There is no layer '{name:.60}'. Known: {', '.join(known)}.")
    return [layer for layer in layers if not names or layer.name in names]


def plan_vacuum(
    spec: GeneratorSpec,
    networks: Mapping[str, nn.Module],
    inputs: Sequence[Tensor],
    names: Sequence[str],
    below: float,
) -> Reshaping:
    """Take away the units that do nothing: in all networks, by their weights or their outputs.

    A unit does nothing if no weight that reads it is larger than `below`, or if none of its outputs
    on the inputs is; or if its outputs never change, and what they give can be added to a bias.

    Args:
        networks: by name, each in the mode in which it is used; those that are rendered come first.
        inputs: batches of latent points, float [N, z_dim].
        names: of the layers to look at; all where empty.
    """
    layers, chosen = list_layers(spec), choose_layers(spec, names)
    kept: dict[str, list[int]] = {}
    outputs = {name: _measure(network, chosen, inputs) for name, network in networks.items()}
    for layer in chosen:
        dead = torch.ones(layer.units, dtype=torch.bool)
        for name, network in networks.items():
            measured = outputs[name][layer.name]
            silent = measured.largest <= below
            silent |= largest_read(network.state_dict(), layer) <= below
            if layer.constant is not None:
                silent |= measured.change <= below
            dead &= silent
        kept[layer.name] = _keep_at_least_one(~dead, outputs, networks, layer)
    constants = {
        name: {
            layer.name: _constants(measured[layer.name], layer, kept[layer.name])
            for layer in chosen
            if layer.constant is not None
        }
        for name, measured in outputs.items()
    }
    return _narrowed(spec, layers, kept, inputs, constants)


def plan_cull(
    spec: GeneratorSpec,
    networks: Mapping[str, nn.Module],
    inputs: Sequence[Tensor],
    names: Sequence[str],
    share: float,
) -> Reshaping:
    """Take away the weakest units of each layer, whatever they do.

    How weak one is: the root mean square of its outputs in the first network, times the length of
    the weights that read it.

    Args:
        networks, inputs: as in `plan_vacuum`; inputs are float [N, z_dim].
        share: of the units of each layer, 0..1; at least one unit stays.
    """
    layers, chosen = list_layers(spec), choose_layers(spec, names)
    network = next(iter(networks.values()))
    measured = _measure(network, chosen, inputs)
    kept = {}
    for layer in chosen:
        strength = _strength(measured[layer.name], network, layer)
        weakest = strength.argsort(stable=True)[: min(round(share * layer.units), layer.units - 1)]
        kept[layer.name] = sorted({*range(layer.units)} - {*weakest.tolist()})
    return _narrowed(spec, layers, kept, inputs, {})


def plan_widening(
    spec: GeneratorSpec, names: Sequence[str], inputs: Sequence[Tensor], by: float, seed: int
) -> Reshaping:
    """Add units to layers, at least one to each.

    Args:
        inputs: batches of latent points, float [N, z_dim].
        by: how many, as a share of those that there are.
        seed: of the weights that make them.
    """
    layers, chosen = list_layers(spec), choose_layers(spec, names)
    units = {layer.name: layer.units for layer in layers}
    units |= {layer.name: layer.units + max(1, round(by * layer.units)) for layer in chosen}
    options = find_reshapable(spec.architecture).resize(spec.options, units)
    return _grown(spec, layers, options, inputs, seed)


def plan_deepening(
    spec: GeneratorSpec, names: Sequence[str], inputs: Sequence[Tensor], seed: int
) -> Reshaping:
    """Add a layer behind each of some layers, which begins as the identity.

    Args:
        inputs: batches of latent points, float [N, z_dim].

    Raises:
        StudioError: no layer is named.
        CheckpointError: a layer can have none behind it.
    """
    if not names:
        known = ", ".join(layer.name for layer in list_layers(spec))
        raise StudioError(f"Behind which layer is another one to come? Name it: {known}.")
    choose_layers(spec, names)
    options: dict[str, Any] = dict(spec.options)
    for name in names:
        options = find_reshapable(spec.architecture).deepen(options, name)
    return _grown(spec, list_layers(spec), options, inputs, seed)


def _measure(
    network: nn.Module, layers: Sequence[HiddenLayer], inputs: Sequence[Tensor]
) -> dict[str, UnitOutputs]:
    """As `measure_units`, on a copy: batch norm's statistics change in training mode."""
    measured = copy.deepcopy(network) if network.training else network
    return measure_units(measured, layers, inputs)


def _strength(measured: UnitOutputs, network: nn.Module, layer: HiddenLayer) -> Tensor:
    return measured.mean_square.sqrt() * read_norms(network.state_dict(), layer)


def _keep_at_least_one(
    lives: Tensor,
    outputs: Mapping[str, Mapping[str, UnitOutputs]],
    networks: Mapping[str, nn.Module],
    layer: HiddenLayer,
) -> list[int]:
    if not lives.any():
        name, network = next(iter(networks.items()))
        lives[_strength(outputs[name][layer.name], network, layer).argmax()] = True
    return [int(unit) for unit in lives.nonzero().flatten()]


def _constants(measured: UnitOutputs, layer: HiddenLayer, kept: Sequence[int]) -> dict[int, Tensor]:
    """What the units give that go, the middle between their least and their most."""
    middle = (measured.least + measured.most) / 2
    return {unit: middle[unit] for unit in range(layer.units) if unit not in {*kept}}


def _narrowed(
    spec: GeneratorSpec,
    layers: Sequence[HiddenLayer],
    kept: Mapping[str, Sequence[int]],
    inputs: Sequence[Tensor],
    constants: Mapping[str, Mapping[str, Mapping[int, Tensor]]],
) -> Reshaping:
    units = {layer.name: len(kept.get(layer.name, range(layer.units))) for layer in layers}
    options = find_reshapable(spec.architecture).resize(spec.options, units)
    return Reshaping(spec, replace(spec, options=options), layers, inputs, kept, constants)


def _grown(
    spec: GeneratorSpec,
    layers: Sequence[HiddenLayer],
    options: dict[str, Any],
    inputs: Sequence[Tensor],
    seed: int,
) -> Reshaping:
    larger = replace(spec, options=options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = larger.build().state_dict()
    return Reshaping(spec, larger, layers, inputs, fresh=fresh)


def _settle_norms(
    spec: GeneratorSpec, weights: dict[str, Tensor], before: Weights, inputs: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Weights in which batch norm knows the mean and the variance of its new channels."""
    network = spec.build()
    network.load_state_dict(weights)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # The mean over all inputs.
    with torch.no_grad():
        network.train()
        for batch in inputs:
            network(batch)
    settled = dict(weights)
    for name, measured in network.state_dict().items():
        if name.endswith(NORM_STATISTICS) and name in before:
            settled[name] = torch.cat([before[name], measured[len(before[name]) :]])
    return settled
