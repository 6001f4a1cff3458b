"""An update of a network, in passes of as many pictures as fit into memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

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

MICRO_BATCH = "micro_batch"  # pictures that fit into a pass, once they had to be found
Metrics = dict[str, Tensor]


@dataclass
class UpdateInputs:
    """What an update learns from, all chance included: it can be cut into passes, and repeated.

    Attributes:
        reals: float [N, 3, S, S] in -1..1; None where none are needed.
        z: float [N, z_dim].
        chances: float [N, K], uniform in 0..1.
        nulls: float [N, 3, S, S], pictures that are to count as generated.
        for_g: G learns from the same fakes next, so that their graph is kept.
        fakes: float [N, 3, S, S], G's pictures of z, once they have been made.
    """

    reals: Tensor | None
    z: Tensor
    chances: Tensor
    nulls: Tensor | None = None
    for_g: bool = False
    fakes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.z)

    def split(self, size: int) -> Iterator[UpdateInputs]:
        """Itself, where it fits into one pass; else parts of so many, without any fakes."""
        if size >= len(self):
            yield self
            return
        self.fakes = None  # the memory is needed
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            yield UpdateInputs(
                None if self.reals is None else self.reals[rows],
                self.z[rows],
                self.chances[rows],
                None if self.nulls is None else self.nulls[rows],
            )


LossesOf = Callable[[UpdateInputs], tuple[Tensor, Metrics]]  # the loss, and what it is made of


@dataclass
class Updater:
    """Updates networks by gradient descent, over all processes together.

    The gradient of a batch is the mean over its passes and processes (Goyal et al. 2017). It is
    that of the whole batch at once, but for what depends on other pictures: batch norm takes its
    statistics over a pass, and so does the deviation of a minibatch.

    Args:
        numbers: where the size of a pass that fits is remembered.
        scale: of losses in half precision.
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
        material: UpdateInputs,
        losses_of: LossesOf,
        config: TrainingConfig,
    ) -> Metrics:
        """One step down the loss.

        Returns:
            Means over the batch, scalars on the device, and the gradient's length as `norm`.

        Raises:
            StudioError: memory ran out, a parameter got no gradient, or a network cannot be
                compiled.
        """
        try:
            self.scale.begin()
            with compiling(name, "Set compile=false.") if config.compile else nullcontext():
                metrics = self._accumulate(optimizer, material, losses_of, config.fit_memory)
            self._check_gradients(name, network)
            parameters = [p for p in network.parameters() if p.grad is not None]
            self.processes.average_gradients(parameters)
            self.scale.undo(optimizer)
            norm = self.scale.length(clip(parameters, config.clip_norm))
            self.scale.step(optimizer)
        except torch.OutOfMemoryError as error:
            raise StudioError(self._explain(name, material, config)) from error
        means = self.processes.mean(torch.stack([*metrics.values()]))
        return dict(zip(metrics, means, strict=True)) | {"norm": norm}

    def _accumulate(
        self, optimizer: Optimizer, material: UpdateInputs, losses_of: LossesOf, fit_memory: bool
    ) -> Metrics:
        """Gradients of all of the material, in passes that are halved until they fit."""
        while True:
            optimizer.zero_grad(set_to_none=True)
            metrics, ran_out = Metrics(), False
            try:
                metrics = self._run_passes(material, losses_of)
            except torch.OutOfMemoryError:
                if not fit_memory or self._pass_size(material) == 1:
                    raise
                ran_out = True
            if not (fit_memory and self._anywhere(ran_out)):
                return metrics
            self._halve_passes(material)  # here, where nothing of the failed pass is held any more

    def _run_passes(self, material: UpdateInputs, losses_of: LossesOf) -> Metrics:
        sums: Metrics = {}
        for part in material.split(self._pass_size(material)):
            share = len(part) / len(material)
            loss, metrics = losses_of(part)
            self.scale.backward(loss * share)
            for name, value in metrics.items():
                sums[name] = sums.get(name, 0.0) + value.detach() * share
        return sums

    def _pass_size(self, material: UpdateInputs) -> int:
        return min(len(material), int(self.numbers.get(MICRO_BATCH, len(material))))

    def _halve_passes(self, material: UpdateInputs) -> None:
        before = self._pass_size(material)
        self.numbers[MICRO_BATCH] = -(-before // 2)
        torch.cuda.empty_cache()
        log.warning(
            "Memory ran out with %d pictures at once; from now on a batch is taken in passes of %d",
            before,
            self.numbers[MICRO_BATCH],
        )

    def _anywhere(self, ran_out: bool) -> bool:
        """Whether one of the processes ran out, as all of them then take smaller passes."""
        if self.processes.count == 1:
            return ran_out
        share = torch.tensor(float(ran_out), device=self.processes.device)
        return bool(self.processes.mean(share) > 0)

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

    def _explain(self, name: str, material: UpdateInputs, config: TrainingConfig) -> str:
        advice = (
            "Train narrower networks or smaller pictures."
            if config.fit_memory
            else "Set --batch-size auto, which takes a batch in smaller passes, or a smaller "
            "batch_size."
        )
        return (
            f"The device ran out of memory in an update of {name} with batch_size "
            f"{config.batch_size}, {self._pass_size(material)} pictures at once. {advice}"
        )


def clip(parameters: list[nn.Parameter], longest: float) -> Tensor:
    """Shorten a gradient to a length (Pascanu et al. 2013), 0 for any; returns what it was."""
    if longest > 0:
        return clip_grad_norm_(parameters, longest)
    return get_total_norm([p.grad for p in parameters if p.grad is not None])
