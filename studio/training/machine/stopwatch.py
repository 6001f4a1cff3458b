"""Where the time of a batch goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

PHASES = ("data", "D", "G", "checkpoint", "frames")


class Stopwatch:
    """Sums seconds by phase; phases may follow each other but not nest.

    On a GPU work is only begun when a call returns, so that a phase would be as short as its
    calls; while `exact` is set, the device is waited for at its end.

    Args:
        device: that the work is done on.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self._waits = device is not None and device.type == "cuda"
        self.exact = False
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Count what happens inside as a part of a phase."""
        began = time.perf_counter()
        try:
            yield
        finally:
            if self._waits and self.exact:
                torch.cuda.synchronize()
            self._seconds[phase] += time.perf_counter() - began

    def take(self) -> dict[str, float]:
        """Seconds of each of PHASES since the last call, by a name such as `data_s`."""
        taken = {f"{phase.lower()}_s": self._seconds[phase] for phase in PHASES}
        self._seconds.clear()
        return taken
