"""Which units of a network do something: what each gives on data, and how it is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from checkpoints_index.generators.units.hidden_layers import HiddenLayer


@dataclass(frozen=True)
class UnitOutputs:
    """What the units of a layer gave on data.

    Attributes:
        least, most: float32 [units, span], over all readers, places and inputs.
        mean_square: float32 [units], of the reader that sees most.
    """

    least: Tensor
    most: Tensor
    mean_square: Tensor

    @property
    def largest(self) -> Tensor:
        """The largest output by its size, float32 [units]."""
        return torch.maximum(self.least.abs(), self.most.abs()).amax(1)

    @property
    def change(self) -> Tensor:
        """By how much outputs differ from each other at most, float32 [units]."""
        return (self.most - self.least).amax(1)


@torch.no_grad()
def measure_units(
    network: nn.Module, layers: Sequence[HiddenLayer], inputs: Iterable[Tensor]
) -> dict[str, UnitOutputs]:
    """What the units of some layers give, in the mode in which the network is.

    In training mode, batch norm's statistics of the network change: hand over a copy.

    Args:
        inputs: batches as the network takes them, such as latent points [N, z_dim].
    """
    trackers = {layer.name: _Tracker(layer.units, layer.span) for layer in layers}
    modules, hooks = dict(network.named_modules()), []
    for layer in layers:
        for reader in layer.readers:
            hook = trackers[layer.name].see
            hooks.append(modules[reader].register_forward_pre_hook(hook))
    try:
        for batch in inputs:
            network(batch)
    finally:
        for handle in hooks:
            handle.remove()
    return {name: tracker.outputs() for name, tracker in trackers.items()}


class _Tracker:
    """Follows what comes to the readers of a layer."""

    def __init__(self, units: int, span: int) -> None:
        self._shape = units, span
        self._least = torch.full(self._shape, torch.inf)
        self._most = torch.full(self._shape, -torch.inf)
        self._squares: dict[nn.Module, tuple[Tensor, int]] = {}

    def see(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].detach().float().cpu()
        rows = x.movedim(1, 0).reshape(*self._shape, -1)
        self._least = torch.minimum(self._least, rows.amin(2))
        self._most = torch.maximum(self._most, rows.amax(2))
        before, count = self._squares.get(module, (torch.zeros(self._shape[0]), 0))
        self._squares[module] = before + rows.square().mean((1, 2)), count + 1

    def outputs(self) -> UnitOutputs:
        means = [total / count for total, count in self._squares.values()]
        return UnitOutputs(self._least, self._most, torch.stack(means).amax(0))
