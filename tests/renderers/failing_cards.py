"""Cards that fail: a double of what speaks to a GPU, for machines without one and for any error.

There is no way to make a real card fail at a chosen moment, and most machines that run the tests
have none. Everything that is said to a card while a part is rendered goes through what a
`DeviceRenderer` is given: a network is moved there, weights are copied into it, and pictures are
made with it. So this double is a source of checkpoints and a network which work on the CPU, and
raise, at random moments, what torch raises where a card fails, or never return. Everything else is
the product's.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from renderers.frames.source import CheckpointSource
from renderers.jobs.device_renderer import DeviceRenderer
from renderers.jobs.parts import PartRenderer
from renderers.jobs.rendering import render_film
from renderers.jobs.workers import StartMethod, render_parts
from renderers.plan.cutting import Part
from renderers.plan.outputs import Video
from renderers.plan.render_plan import RenderPlan
from renderers.progress import OnProgress, ignore_progress

ADVICE = "\nCUDA kernel errors might be asynchronously reported at some other API call.\n"


def out_of_memory() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 3 MiB")


# What torch raises where a card fails, one of each kind.
FAILURES: tuple[Callable[[], Exception], ...] = (
    out_of_memory,
    lambda: torch.AcceleratorError(f"CUDA error: unspecified launch failure{ADVICE}"),
    lambda: torch.AcceleratorError(f"CUDA error: an illegal memory access was encountered{ADVICE}"),
    lambda: torch.AcceleratorError(f"CUDA error: uncorrectable ECC error encountered{ADVICE}"),
    lambda: torch.AcceleratorError(f"CUDA error: invalid device ordinal{ADVICE}"),
    lambda: torch.AcceleratorError(f"CUDA error: out of memory{ADVICE}"),
    lambda: RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    lambda: RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"),
    lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
    lambda: RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
    lambda: RuntimeError("No CUDA GPUs are available"),
    lambda: RuntimeError("CUDA unknown error - this may be due to an incorrectly set up machine"),
    lambda: RuntimeError("GET was unable to find an engine to execute this computation"),
    lambda: RuntimeError('"ret == NVML_SUCCESS" INTERNAL ASSERT FAILED at "CUDACachingAllocator"'),
)


class _Card:
    """What a card answers: nothing, or one of FAILURES, or it kills its process, or it hangs."""

    def __init__(self, chance: float, spared: int, dies: bool, hangs: bool) -> None:
        self._chance, self._spared, self._dies, self._hangs = chance, spared, dies, hangs
        self._random = random.Random(os.urandom(8))

    def speak(self) -> None:
        self._spared -= 1
        if self._spared >= 0 or self._random.random() >= self._chance:
            return
        while self._hangs:
            time.sleep(60)
        if self._dies and self._random.random() < 1 / (len(FAILURES) + 1):
            os.kill(os.getpid(), signal.SIGKILL)
        raise self._random.choice(FAILURES)()


class _NetworkOnCard(nn.Module):
    """A network each of whose passes, and each of whose moves, a card may refuse."""

    def __init__(self, G: nn.Module, card: _Card) -> None:
        super().__init__()
        self.G = G
        self._card = card

    def to(self, *args: Any, **kwargs: Any) -> nn.Module:
        self._card.speak()
        return super().to(*args, **kwargs)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        self._card.speak()
        pictures: torch.Tensor = self.G(z)
        return pictures


@dataclass(frozen=True)
class _SourceOnCard:
    """A source whose networks lie on a card."""

    source: CheckpointSource
    card: _Card

    def build(self) -> nn.Module:
        return _NetworkOnCard(self.source.build(), self.card).eval()

    def stream(
        self, batches: Sequence[int], device: str, into: Sequence[nn.Module] = ()
    ) -> Iterator[tuple[int, nn.Module]]:
        holding = {id(module.G): module for module in into}
        for batch, G in self.source.stream(batches, device, [module.G for module in into]):
            self.card.speak()
            yield batch, holding[id(G)]


@dataclass(frozen=True)
class FailingPartRenderer(PartRenderer):
    """Renders parts on cards that fail.

    Args:
        chances: how likely each card fails when it is spoken to, by its name.
        spared: so many times in each process all goes well.
        dies: whether a card may also take its process with it.
        hangs: whether a card never answers rather than fail.
    """

    chances: dict[str, float]
    spared: int
    dies: bool
    hangs: bool

    def _renderer_on(self, device: str) -> DeviceRenderer:
        if device not in self.device_renderers:
            card = _Card(self.chances[device], self.spared, self.dies, self.hangs)
            renderer = DeviceRenderer(_SourceOnCard(self.source, card), self.parts.plan, "cpu")
            self.device_renderers[device] = renderer
        return self.device_renderers[device]


def film_on_cards(
    root: Path,
    source: CheckpointSource,
    plan: RenderPlan,
    chances: dict[str, float],
    on_progress: OnProgress = ignore_progress,
    spared: int = 0,
    start_method: StartMethod = "spawn",
    hangs: bool = False,
) -> list[Video]:
    """A film on cards that fail: its parts in root/render, and the videos beside it."""

    def engine(renderer: PartRenderer, parts: Sequence[Part], *, on_progress: OnProgress) -> None:
        cards = chances, spared, len(chances) > 1, hangs
        failing = FailingPartRenderer(renderer.source, renderer.parts, *cards)
        render_parts(failing, parts, list(chances), on_progress, start_method)

    return render_film(source, plan, root / "render", root / "film.mp4", engine, on_progress)
