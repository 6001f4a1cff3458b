"""What shoots the frames of a plan on a device, and stays there from part to part."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np
from torch import nn

from renderers.frames.concurrency import in_order
from renderers.frames.devices import lanes_of
from renderers.frames.frame_renderer import FrameRenderer
from renderers.frames.source import CheckpointSource, stream_exactly
from renderers.plan.render_plan import Part, RenderPlan

CHUNK = 16  # pictures in one forward pass where tracks move; few, since several chunks wait


class Shot(NamedTuple):
    """One frame of the film, along all tracks: uint8 [tracks, height, width, 3]."""

    frame: int
    pictures: np.ndarray


class CheckpointSpan(NamedTuple):
    """Neighbouring frames of one checkpoint."""

    batch: int
    first: int
    end: int


class DeviceRenderer:
    """Modules on a device that take turns at holding checkpoints, and passes through them."""

    def __init__(self, source: CheckpointSource, plan: RenderPlan, device: str) -> None:
        self._source, self._plan, self._device = source, plan, device
        self._frames_at_once = 1 if plan.stays else max(1, CHUNK // len(plan.labels))
        # A module more than forward passes at a time, so that weights are swapped beside them.
        self._modules = [source.build().to(device) for _ in range(lanes_of(device) + 1)]
        self._frames = FrameRenderer(
            precision=plan.options.precision,
            steady=len(plan.labels) * self._frames_at_once,
            compile=plan.options.compile,
        )

    def shoot(self, part: Part) -> Generator[Shot, None, None]:
        """The frames of a part, in order. Close the generator to stop early.

        Raises:
            RenderError: a checkpoint is missing.
        """
        self._frames.begin_part()
        visits = list_visits(part)
        batches = [visit.batch for visit in visits]
        stream = stream_exactly(self._source, batches, self._device, self._modules)
        passes = in_order(self._passes(visits, stream), lanes_of(self._device))
        with closing(stream), closing(passes):
            yield from chain.from_iterable(passes)

    def _passes(
        self, visits: Sequence[CheckpointSpan], stream: Iterator[tuple[int, nn.Module]]
    ) -> Iterator[Callable[[], list[Shot]]]:
        """Forward passes that remain to be done, each of which makes neighbouring frames."""
        for visit, (_, G) in zip(visits, stream, strict=True):
            if self._plan.stays:
                yield partial(self._shoot_standing, G, visit)
                continue
            for first in range(visit.first, visit.end, self._frames_at_once):
                end = min(first + self._frames_at_once, visit.end)
                yield partial(self._shoot, G, first, end)

    def _shoot_standing(self, G: nn.Module, visit: CheckpointSpan) -> list[Shot]:
        """All frames of a visit along tracks that stay, which show the same."""
        [shot] = self._shoot(G, visit.first, visit.first + 1)
        return [Shot(frame, shot.pictures) for frame in range(visit.first, visit.end)]

    def _shoot(self, G: nn.Module, first: int, end: int) -> list[Shot]:
        """Frames first to end, without end, in one forward pass."""
        z = self._plan.z(first, end)
        pictures = self._plan.options.look.cut(self._frames.render(G, z.flatten(0, 1)))
        shown = pictures.reshape(*z.shape[:2], *pictures.shape[1:])
        return [Shot(first + offset, own) for offset, own in enumerate(shown)]


def list_visits(part: Part) -> list[CheckpointSpan]:
    """The checkpoints that a part calls at, in order, and the frames that show each.

    Example:
        >>> list_visits(Part(10, (5, 5, 6), ""))
        [Visit(batch=5, first=10, end=12), Visit(batch=6, first=12, end=13)]
    """
    visits, first = [], part.first
    for batch, frames in groupby(part.batches):
        end = first + sum(1 for _ in frames)
        visits.append(CheckpointSpan(batch, first, end))
        first = end
    return visits
