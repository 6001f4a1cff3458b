"""One update of a network: passes that fit into memory, averaged gradients, clipping, a step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm
from torch.optim import Optimizer

from renderers.frames.compilation import compiling
from studio.runs.config import TrainingConfig
from studio.training.machine.precision import LossScale
from studio.training.machine.processes import Processes
from studio.workspace.errors import StudioError

log = logging.getLogger(__name__)

MICRO_BATCH = "micro_batch"  # Pictures that fit into one pass, once memory has run out.
Metrics = dict[str, Tensor]


@dataclass
class UpdateInputs:
    """All inputs of an update, random numbers included: it can be cut into passes and repeated.

    Attributes:
        reals: float [N, 3, S, S] in -1..1; None where the update needs none.
        z: float [N, z_dim].
        draws: float [N, K], uniform in 0..1.
        negatives: float [N, 3, S, S], pictures that D learns as generated ones.
        for_g: whether G learns from the same fakes next, so that their graph is kept.
        fakes: float [N, 3, S, S], G's pictures of z, once they have been made.
    """

    reals: Tensor | None
    z: Tensor
    draws: Tensor
    negatives: Tensor | None = None
    for_g: bool = False
    fakes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.z)

    def split(self, size: int) -> Iterator[UpdateInputs]:
        """Cut into parts of `size` pictures without fakes; what fits into one part stays whole."""
        if size >= len(self):
            yield self
            return
        self.fakes = None  # Their memory is needed for the passes.
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            yield UpdateInputs(
                None if self.reals is None else self.reals[rows],
                self.z[rows],
                self.draws[rows],
                None if self.negatives is None else self.negatives[rows],
            )


class SplittableInputs(Protocol):
    """All inputs of an update of any recipe, which can be cut into passes."""

    def __len__(self) -> int: ...

    def split(self, size: int) -> Iterator[Any]:
        """Cut into parts of `size` pictures, of the same class."""


# From inputs to the loss, a scalar, and to metrics, such as the terms of the loss.
LossesOf = Callable[[Any], tuple[Tensor, Metrics]]


@dataclass
class Updater:
    """Updates networks by gradient descent, over all processes together.

    The gradient of a batch is the mean over its passes and processes (Goyal et al. 2017). It is
    the gradient of the whole batch at once, except for what depends on other pictures: batch norm
    and the minibatch deviation take their statistics over one pass.

    Args:
        processes: this process among those that train together.
        numbers: where the size of a pass that fits is remembered.
        scale: the loss scale of half precision.
    """

    processes: Processes
    numbers: dict[str, float]
    scale: LossScale

    def __post_init__(self) -> None:
        self._checked: set[str] = set()

    def update(
        self,
        name: str,
        network: nn.Module,
        optimizer: Optimizer,
        inputs: SplittableInputs,
        losses_of: LossesOf,
        config: TrainingConfig,
    ) -> Metrics:
        """Take one step of the optimiser down the gradient of the loss.

        Args:
            name: the network's name in messages.
            losses_of: called with each pass; its loss is a mean over the pass.

        Returns:
            Means of the metrics over the batch and all processes, and the gradient's norm before
            clipping as `norm`: scalars on the device.

        Raises:
            StudioError: memory ran out, a parameter got no gradient, or the network cannot be
                compiled.
        """
        try:
            self.scale.begin()
            with compiling(name, "Set compile=false.") if config.compile else nullcontext():
                metrics = self._accumulate(optimizer, inputs, losses_of, config.fit_memory)
            self._check_gradients(name, network)
            parameters = [p for p in network.parameters() if p.grad is not None]
            self.processes.average_gradients(parameters)
            self.scale.undo(optimizer)
            norm = self.scale.finite_norm(clip(parameters, config.clip_norm))
            self.scale.step(optimizer)
        except torch.OutOfMemoryError as error:
            raise StudioError(self._explain(name, inputs, config)) from error
        means = self.processes.mean(torch.stack([*metrics.values()]))
        return dict(zip(metrics, means, strict=True)) | {"norm": norm}

    def _accumulate(
        self, optimizer: Optimizer, inputs: SplittableInputs, losses_of: LossesOf, fit_memory: bool
    ) -> Metrics:
        """Sum the gradients of the batch over passes, which are halved until they fit."""
        while True:
            optimizer.zero_grad(set_to_none=True)
            metrics, ran_out = Metrics(), False
            try:
                metrics = self._run_passes(inputs, losses_of)
            except torch.OutOfMemoryError:
                if not fit_memory or self._pass_size(inputs) == 1:
                    raise
                ran_out = True
            if not (fit_memory and self._anywhere(ran_out)):
                return metrics
            # Outside of the except block, where nothing of the failed pass is held any more.
            self._halve_passes(inputs)

    def _run_passes(self, inputs: SplittableInputs, losses_of: LossesOf) -> Metrics:
        """Run every pass forwards and backwards; the means of its metrics over the batch."""
        sums: Metrics = {}
        for part in inputs.split(self._pass_size(inputs)):
            fraction = len(part) / len(inputs)
            loss, metrics = losses_of(part)
            self.scale.backward(loss * fraction)
            for name, value in metrics.items():
                sums[name] = sums.get(name, 0.0) + value.detach() * fraction
        return sums

    def _pass_size(self, inputs: SplittableInputs) -> int:
        return min(len(inputs), int(self.numbers.get(MICRO_BATCH, len(inputs))))

    def _halve_passes(self, inputs: SplittableInputs) -> None:
        before = self._pass_size(inputs)
        self.numbers[MICRO_BATCH] = -(-before // 2)
        torch.cuda.empty_cache()
        log.warning(
            "Memory ran out with %d pictures at once; from now on a batch is taken in passes of %d",
            before,
            self.numbers[MICRO_BATCH],
        )

    def _anywhere(self, ran_out: bool) -> bool:
        """Whether any process ran out of memory; then all of them take smaller passes."""
        if self.processes.count == 1:
            return ran_out
        fraction = torch.tensor(float(ran_out), device=self.processes.device)
        return bool(self.processes.mean(fraction) > 0)

    def _check_gradients(self, name: str, network: nn.Module) -> None:
        """Refuse parameters that would never learn, at the first update of a network."""
        if name in self._checked:
            return
        self._checked.add(name)
        idle = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
        if idle:
            raise StudioError(
                f"{name}'s parameter '{idle[0]}' got no gradient in its first update, nor did "
                f"{len(idle) - 1} others: it would never learn. Use it in the forward pass, or "
                "take it out of the network."
            )

    def _explain(self, name: str, inputs: SplittableInputs, config: TrainingConfig) -> str:
        advice = (
            "Train narrower networks or smaller pictures."
            if config.fit_memory
            else "Set --batch-size auto, which takes a batch in smaller passes, or a smaller "
            "batch_size."
        )
        return (
            f"The device ran out of memory in an update of {name} with batch_size "
            f"{config.batch_size}, {self._pass_size(inputs)} pictures at once. {advice}"
        )


def clip(parameters: list[nn.Parameter], max_norm: float) -> Tensor:
    """Shorten a gradient to a norm (Pascanu et al. 2013); 0 leaves it as it is.

    Returns:
        The norm before clipping, a scalar on the device.
    """
    if max_norm > 0:
        return clip_grad_norm_(parameters, max_norm)
    return get_total_norm([p.grad for p in parameters if p.grad is not None])
