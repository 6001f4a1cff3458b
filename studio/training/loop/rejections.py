"""Leaves out updates that are not finite: all that they changed is put back as it was before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from studio.training.loop.guards import DivergedError
from studio.training.machine.updater import MICRO_BATCH
from studio.training.recipes import Recipe

# Names of the recipe's numbers, which a training state keeps: how many updates were rejected, how
# many in a row up to now, and the batch of the last one. The first is also the name of the curve.
REJECTED, IN_A_ROW, LAST = "rejected_updates", "rejected_in_a_row", "rejected_at"
# What a rejected update changes in a recipe's numbers for good: memory did run out.
LASTING = (MICRO_BATCH,)
QUIET = 100  # Batches without a rejection, after which the next one is told as an event again.

Slots = dict[Tensor, dict[str, Any]]  # By parameter.


class Rejections:
    """Remembers a recipe before each update, and puts it back where the update is not finite.

    Put back are the weights and buffers of all networks (moving averages and the statistics of
    batch norm among them), the state of all optimisers, and the recipe's numbers. Random numbers
    and data go on, so that the next update is another one; the batch counts.

    What is remembered lies where the networks do and is as large as they and the optimisers' state
    are. Nothing waits for the device: whether an update is finite is read with its metrics.

    Args:
        recipe: its settings `reject_updates` and `rejections` are followed as they change.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._live: list[Tensor] = []
        self._copies: list[Tensor] = []
        self._slots: dict[str, Slots] = {}
        self._numbers: dict[str, float] = {}

    @property
    def is_on(self) -> bool:
        """Whether updates are rejected."""
        return self._recipe.config.reject_updates

    def remember(self) -> None:
        """Copy all that an update may change; nothing where updates are not rejected."""
        if not self.is_on:
            self._live, self._copies = [], []  # Their memory is free once the setting is off.
            return
        self._slots = {
            name: {p: dict(slots) for p, slots in optimizer.state.items()}
            for name, optimizer in self._recipe.optimizers.items()
        }
        live = list(tensors_in_place(self._recipe))
        if [*map(id, live)] != [*map(id, self._live)]:
            self._copies = [torch.empty_like(tensor) for tensor in live]
        self._live = live
        copy_all(self._copies, self._live)
        self._numbers = dict(self._recipe.numbers)

    def accept(self) -> dict[str, float]:
        """Take note of an update that is finite; what the curves have of it."""
        self._recipe.numbers.pop(IN_A_ROW, None)
        return self._count()

    def reject(self, trouble: DivergedError) -> tuple[dict[str, float], bool]:
        """Put everything back; what the curves have of the batch, and whether to tell of it.

        It is told at the first rejection after QUIET batches without one.

        Raises:
            DivergedError: updates are not rejected, or as many in a row were as may be.
        """
        if not self.is_on:
            raise trouble
        self._put_back()
        numbers, batch = self._recipe.numbers, self._recipe.batch
        is_news = batch - numbers.get(LAST, -QUIET) >= QUIET
        row = int(numbers.get(IN_A_ROW, 0)) + 1
        numbers |= {REJECTED: numbers.get(REJECTED, 0) + 1, IN_A_ROW: row, LAST: batch}
        if row >= self._recipe.config.rejections:
            raise DivergedError(batch, trouble.what, in_a_row=row) from trouble
        return self._count(), is_news

    def forget(self) -> None:
        """Forget what was counted, before an earlier state is loaded that knows its own counts."""
        for name in (REJECTED, IN_A_ROW, LAST):
            self._recipe.numbers.pop(name, None)

    def begin_row(self) -> bool:
        """Count from zero again, after a state was loaded; whether that state counted some."""
        return self._recipe.numbers.pop(IN_A_ROW, None) is not None

    def _count(self) -> dict[str, float]:
        """The number of rejected updates, where any may be or has been."""
        count = self._recipe.numbers.get(REJECTED, 0)
        return {REJECTED: count} if self.is_on or count else {}

    def _put_back(self) -> None:
        self._recipe.before_rendered_changes()
        for name, optimizer in self._recipe.optimizers.items():
            put_back_slots(optimizer, self._slots[name])
        copy_all(self._live, self._copies)
        numbers = self._recipe.numbers
        lasting = {name: numbers[name] for name in LASTING if name in numbers}
        numbers.clear()
        numbers |= self._numbers | lasting


def tensors_in_place(recipe: Recipe) -> Iterator[Tensor]:
    """All tensors of networks and optimisers, [...] of any dtype; changing one changes these."""
    for module in recipe.modules.values():
        yield from module.parameters()
        yield from module.buffers()
    for optimizer in recipe.optimizers.values():
        for slots in optimizer.state.values():
            yield from (value for value in slots.values() if isinstance(value, Tensor))


def put_back_slots(optimizer: Optimizer, before: Slots) -> None:
    """Let an optimiser have the slots that it had: tensors themselves, not what stands in them.

    A parameter that had none yet, as before the first update, has none again.
    """
    for parameter in list(optimizer.state):
        if parameter in before:
            optimizer.state[parameter] = before[parameter]
        else:
            del optimizer.state[parameter]


@torch.no_grad()
def copy_all(to: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Copy values [...] into as many tensors of the same shapes.

    They are sorted by kind, since many are copied at once only where all of them are of one dtype
    and on one device.
    """
    kinds: dict[tuple[torch.dtype, torch.device], tuple[list[Tensor], list[Tensor]]] = {}
    for target, value in zip(to, values, strict=True):
        targets, sources = kinds.setdefault((target.dtype, target.device), ([], []))
        targets.append(target)
        sources.append(value)
    for targets, sources in kinds.values():
        torch._foreach_copy_(targets, sources)
