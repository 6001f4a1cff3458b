"""Measures how long each phase of a batch takes: data, those of the recipe, checkpoint, frames."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

BEFORE, AFTER = ("data",), ("checkpoint", "frames")  # Phases of every recipe.


class Stopwatch:
    """Sums seconds by phase; phases may follow each other but not nest.

    On a GPU a call returns when its work has only begun, so a phase seems too short; while
    `exact` is set, the end of a phase waits for the device.

    Args:
        device: the device that the work is done on.
        phases: those of the recipe, which are told of although none of them took any time.
    """

    def __init__(self, device: torch.device | None = None, phases: Sequence[str] = ()) -> None:
        self._waits = device is not None and device.type == "cuda"
        self.exact = False
        self._phases = (*BEFORE, *phases, *AFTER)
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Count the time inside the context as part of a phase, such as "data" or "G"."""
        began = time.perf_counter()
        try:
            yield
        finally:
            if self._waits and self.exact:
                torch.cuda.synchronize()
            self._seconds[phase] += time.perf_counter() - began

    def take(self) -> dict[str, float]:
        """Seconds of each phase since the last call, by names such as `data_s`."""
        phases = dict.fromkeys((*self._phases, *self._seconds))
        taken = {f"{phase.lower()}_s": self._seconds[phase] for phase in phases}
        self._seconds.clear()
        return taken
