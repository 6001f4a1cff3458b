"""Finds what is not finite in a batch, and counts how often a run went back because of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from studio.training.recipes import Recipe
from studio.workspace.errors import StudioError

REPORTED = 5  # The report of a run that gives up has the numbers of so many batches.


class DivergedError(StudioError):
    """A loss, a gradient or a weight stopped being finite.

    Attributes:
        batch: the batch where it was found.
        what: what is not finite.
        in_a_row: how many updates were not, one after another.
        metrics: those of the batch that are finite.
    """

    def __init__(
        self,
        batch: int,
        what: str,
        in_a_row: int = 1,
        metrics: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.batch, self.what, self.in_a_row = batch, what, in_a_row
        self.metrics = dict(metrics)
        row = f", in {in_a_row} updates in a row" if in_a_row > 1 else ""
        super().__init__(f"Training diverged at batch {batch}: {what} is not finite{row}.")

    def __reduce__(self) -> tuple[type[DivergedError], tuple[int, str, int]]:
        return DivergedError, (self.batch, self.what, self.in_a_row)


def read_finite(recipe: Recipe, metrics: Mapping[str, Tensor]) -> dict[str, float]:
    """The metrics as numbers, copied from the device at once with the norms of all weights.

    Where several processes train together, they are means over these, so that all of them find
    the same.

    Args:
        metrics: scalars on the device.

    Raises:
        DivergedError: a metric or a norm is not finite; the text names it.
    """
    norms = {f"the weights of {name}": _norm(m) for name, m in recipe.modules.items()}
    scalars = {**metrics, **norms}
    together = torch.stack([scalar.double() for scalar in scalars.values()])
    values = dict(zip(scalars, recipe.processes.mean(together).tolist(), strict=True))
    numbers = {name: values[name] for name in metrics}
    for name, value in values.items():
        if not math.isfinite(value):
            finite = {n: v for n, v in numbers.items() if math.isfinite(v)}
            raise DivergedError(recipe.batch, name, metrics=finite)
    return numbers


def _norm(module: torch.nn.Module) -> Tensor:
    """The norm of all floating-point weights and buffers; not finite where one of them is not."""
    return torch.nn.utils.get_total_norm(
        [tensor for tensor in module.state_dict().values() if tensor.is_floating_point()]
    )


class Rollbacks:
    """Counts tries: how often a run went back without passing the batch where it diverged."""

    def __init__(self) -> None:
        self._tries, self._farthest = 0, 0
        self._recent: deque[tuple[int, dict[str, float]]] = deque(maxlen=REPORTED)

    def passed(self, batch: int, metrics: dict[str, float]) -> None:
        """Take note of a batch that went well."""
        self._recent.append((batch, metrics))
        if batch > self._farthest:
            self._tries = 0

    def count(self, trouble: DivergedError, limit: int) -> int:
        """Begin one more try; its number, counted from 1.

        Raises:
            StudioError: the limit is reached; the text reports the last batches.
        """
        self._farthest = max(self._farthest, trouble.batch)
        self._tries += 1
        if self._tries <= limit:
            return self._tries
        raise StudioError(
            f"{trouble} It was tried {limit} times with lower learning rates. The checkpoints "
            f"before it are kept. Last batches: {self._report()}. Branch off an earlier batch with "
            "other settings: studio train --from RUN@BATCH"
        ) from trouble

    def _report(self) -> str:
        return "; ".join(
            f"{batch:,} ({', '.join(f'{name} {value:.3g}' for name, value in metrics.items())})"
            for batch, metrics in self._recent
        )
