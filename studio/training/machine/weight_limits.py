"""Limits on every step of an optimiser: how large weights are, how far they move, and a decay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from studio.runs.config import TrainingConfig

Tensors = list[Tensor]


class WeightLimits:
    """Keeps weights within `weight_cap`, biases within `bias_cap`, updates within `update_cap`.

    Before each step it takes `independent_decay` of the weights off that are matrices or kernels:
    decay that does not follow the learning rate (Loshchilov and Hutter 2019, algorithm 2). Biases
    and gains of norms keep theirs.

    It does all that around each step of an optimiser, whichever that is and whoever calls it, with
    a few operations on all tensors at once. What is no number stays none, and is found as ever.

    Args:
        optimizer: its steps are limited from now on.
        networks: those that it trains, whose names tell weights from biases.
        settings: what gives the settings in force.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        networks: Iterable[nn.Module],
        settings: Callable[[], TrainingConfig],
    ) -> None:
        named = [pair for network in networks for pair in network.named_parameters()]
        biases = {id(parameter) for name, parameter in named if name.endswith("bias")}
        self._all: Tensors = [p for group in optimizer.param_groups for p in group["params"]]
        self._weights = [p for p in self._all if id(p) not in biases]
        self._biases = [p for p in self._all if id(p) in biases]
        self._decaying = [p for p in self._weights if p.ndim > 1]
        self._settings = settings
        self._range: tuple[Sequence[Tensor], Sequence[Tensor]] | None = None
        optimizer.register_step_pre_hook(self._before_step)
        optimizer.register_step_post_hook(self._after_step)

    @torch.no_grad()
    def _before_step(self, optimizer: Optimizer, *arguments: Any) -> None:
        """Take the decay off, then note how far each number may move."""
        config = self._settings()
        if config.independent_decay > 0 and self._decaying:
            torch._foreach_mul_(self._decaying, self._kept_share(optimizer))
        cap = config.update_cap
        if cap > 0:
            self._range = torch._foreach_sub(self._all, cap), torch._foreach_add(self._all, cap)

    def _kept_share(self, optimizer: Optimizer) -> Tensor | float:
        """The share of weights that the decay leaves: all of them where fp16 overflowed.

        The loss scale tells a fused optimiser by `found_inf` that its step is left out.
        """
        decay = self._settings().independent_decay
        overflowed = getattr(optimizer, "found_inf", None)
        if overflowed is None:
            return 1 - decay
        left_out: Tensor = overflowed
        return 1 - decay * (1 - left_out)

    @torch.no_grad()
    def _after_step(self, optimizer: Optimizer, *arguments: Any) -> None:
        """Bring back what moved too far, then what is too large."""
        if self._range is not None:
            lowest, highest = self._range
            torch._foreach_maximum_(self._all, [*lowest])
            torch._foreach_minimum_(self._all, [*highest])
            self._range = None
        config = self._settings()
        clamp_all(self._weights, config.weight_cap)
        clamp_all(self._biases, config.bias_cap)


def clamp_all(tensors: Tensors, cap: float) -> None:
    """Clamp all numbers of tensors [...] to -cap..cap, in place; a cap of 0 is none."""
    if cap > 0 and tensors:
        torch._foreach_clamp_min_(tensors, -cap)
        torch._foreach_clamp_max_(tensors, cap)
