"""Nothing that is not finite is kept, and a run that diverges goes back and tries again."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

import torch
from torch import Tensor

from studio.training.recipes import Recipe
from studio.workspace.errors import StudioError

REPORTED = 5  # batches that the report of a run that gives up has


class DivergedError(StudioError):
    """A loss, a gradient or a weight stopped being finite."""

    def __init__(self, batch: int, what: str) -> None:
        self.batch, self.what = batch, what
        super().__init__(f"Training diverged at batch {batch}: {what} is not finite.")


def read_finite(recipe: Recipe, metrics: Mapping[str, Tensor]) -> dict[str, float]:
    """The metrics as numbers, brought over from the device at once with the norms of all weights.

    Raises:
        DivergedError: one of them is not finite.
    """
    norms = {f"the weights of {name}": _norm(m) for name, m in recipe.modules.items()}
    scalars = {**metrics, **norms}
    values = torch.stack([scalar.double() for scalar in scalars.values()]).tolist()
    for name, value in zip(scalars, values, strict=True):
        if not math.isfinite(value):
            raise DivergedError(recipe.batch, name)
    return dict(zip(metrics, values, strict=False))


def _norm(module: torch.nn.Module) -> Tensor:
    """Of all floating-point weights and buffers; not finite where one of them is not."""
    return torch.nn.utils.get_total_norm(
        [tensor for tensor in module.state_dict().values() if tensor.is_floating_point()]
    )


class Rollbacks:
    """Counts how often a run went back without getting past the batch where it diverged."""

    def __init__(self) -> None:
        self._tries, self._farthest = 0, 0
        self._recent: deque[tuple[int, dict[str, float]]] = deque(maxlen=REPORTED)

    def passed(self, batch: int, metrics: dict[str, float]) -> None:
        """A batch went well."""
        self._recent.append((batch, metrics))
        if batch > self._farthest:
            self._tries = 0

    def count(self, trouble: DivergedError, most: int) -> int:
        """One more try, counted from 1.

        Raises:
            StudioError: there were as many as there may be; it reports the last batches.
        """
        self._farthest = max(self._farthest, trouble.batch)
        self._tries += 1
        if self._tries <= most:
            return self._tries
        raise StudioError(
            f"{trouble} It was tried {most} times with lower learning rates. The checkpoints "
            f"before it are kept. Last batches: {self._report()}. Branch off an earlier batch with "
            "other settings: studio train --from RUN@BATCH"
        ) from trouble

    def _report(self) -> str:
        return "; ".join(
            f"{batch:,} ({', '.join(f'{name} {value:.3g}' for name, value in metrics.items())})"
            for batch, metrics in self._recent
        )
