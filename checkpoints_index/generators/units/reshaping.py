"""Takes units out of tensors, and puts new ones in; tensors are named as in a state dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from checkpoints_index.generators.units.hidden_layers import HiddenLayer, TensorAxis

Tensors = Mapping[str, Tensor]
Kept = Mapping[str, Sequence[int]]  # The names of layers -> the units that stay, ascending.


def keep_units(tensors: Tensors, layers: Sequence[HiddenLayer], kept: Kept) -> dict[str, Tensor]:
    """Tensors without the units that go.

    Args:
        tensors: weights, or what an optimiser keeps beside them, which has the same shapes; those
            that no layer names stay as they are, as do tensors without axes.
        kept: for some of the layers, the units that stay.
    """
    reshaped = dict(tensors)
    for layer in (layer for layer in layers if layer.name in kept):
        for place in (*layer.own, *layer.read):
            tensor = reshaped.get(place.tensor)
            if tensor is not None and tensor.ndim > place.axis:
                index = _places(kept[layer.name], place.span)
                reshaped[place.tensor] = tensor.index_select(place.axis, index).contiguous()
    return reshaped


def add_units(tensors: Tensors, fresh: Tensors, layers: Sequence[HiddenLayer]) -> dict[str, Tensor]:
    """Weights with the units, and the tensors, that a larger network has in addition.

    New units come behind the others. What makes them is as in the larger network, untrained; what
    reads them is 0, so that the network computes what it did.

    Args:
        fresh: the weights of the larger network, untrained.
        layers: the hidden layers of the smaller one.
    """
    grown = {name: _lay_into(fresh[name].clone(), tensors.get(name)) for name in fresh}
    for layer in layers:
        for place in layer.read:
            length = layer.units * place.span
            if grown[place.tensor].shape[place.axis] > length:
                new = _narrow(grown[place.tensor], place.axis, length)
                new.zero_()
    return grown


def add_kept(
    tensors: Tensors, shapes: Mapping[str, Sequence[int]], means: bool = False
) -> dict[str, Tensor]:
    """What an optimiser keeps of weights, with room for new units.

    Args:
        tensors: by the names of weights; those without axes stay as they are.
        shapes: those of the larger network's weights.
        means: whether new units get the mean of the others in their tensor, rather than zeros.
    """

    def grow(name: str, tensor: Tensor) -> Tensor:
        begun = float(tensor.mean()) if means and tensor.numel() else 0.0
        return _lay_into(tensor.new_full(tuple(shapes[name]), begun), tensor)

    return {name: grow(name, tensor) if tensor.ndim else tensor for name, tensor in tensors.items()}


def add_constants(
    tensors: Tensors, layers: Sequence[HiddenLayer], constants: Mapping[str, Mapping[int, Tensor]]
) -> dict[str, Tensor]:
    """Weights whose biases have taken over what units gave that never change.

    Args:
        constants: the names of layers with a `constant` -> unit -> its output, float [span].
    """
    changed = dict(tensors)
    for layer in layers:
        sums = layer.constant
        if sums is None:
            continue
        weight = changed[sums.weight].movedim((sums.unit_axis, sums.out_axis), (0, 1))
        for unit, value in constants.get(layer.name, {}).items():
            rows = (
                weight[_places([unit], layer.span)].flatten(2)
                if weight.ndim > 2
                else (weight[_places([unit], layer.span)][:, :, None])
            )
            given = (rows.double().sum(2) * value.double()[:, None]).sum(0)
            bias = changed[sums.bias]
            changed[sums.bias] = (bias.double() + given).to(bias.dtype)
    return changed


def read_norms(tensors: Tensors, layer: HiddenLayer) -> Tensor:
    """The length of the weights that read each unit, float32 [units]."""
    squares = torch.zeros(layer.units)
    for place in layer.read:
        squares += _by_unit(tensors[place.tensor], place).square().sum(1)
    return squares.sqrt()


def largest_read(tensors: Tensors, layer: HiddenLayer) -> Tensor:
    """The largest of the weights that read each unit, by its size, float32 [units]."""
    found = [_by_unit(tensors[place.tensor], place).abs().amax(1) for place in layer.read]
    return torch.stack(found).amax(0)


def _by_unit(tensor: Tensor, place: TensorAxis) -> Tensor:
    """The weights of each unit in a row: float32 [units, K]."""
    rows = tensor.detach().float().movedim(place.axis, 0)
    return rows.reshape(len(rows) // place.span, -1)


def _places(units: Sequence[int], span: int) -> Tensor:
    starts = torch.as_tensor(units, dtype=torch.long)[:, None] * span
    return (starts + torch.arange(span)).flatten()


def _narrow(tensor: Tensor, axis: int, start: int) -> Tensor:
    return tensor.narrow(axis, start, tensor.shape[axis] - start)


def _lay_into(larger: Tensor, smaller: Tensor | None) -> Tensor:
    """A tensor whose first places along every axis are another one's."""
    if smaller is not None:
        larger[tuple(slice(length) for length in smaller.shape)] = smaller
    return larger
