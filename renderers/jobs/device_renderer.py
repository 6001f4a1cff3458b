"""Render the frames of a plan's parts on one device, whose modules stay from part to part."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain, groupby
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from renderers.frames.concurrency import run_in_order
from renderers.frames.devices import concurrency_of
from renderers.frames.forward_stream import ArrivingFrames, ForwardStream
from renderers.frames.frame_renderer import FrameRenderer
from renderers.frames.layer_pictures import LayerPictures
from renderers.frames.small_pictures import SmallPictures
from renderers.frames.source import CheckpointSource, stream_exactly
from renderers.plan.cutting import Part
from renderers.plan.render_plan import RenderPlan

MOVING_BATCH = 16  # Pictures per forward pass where tracks move; few, since several passes wait.


class TrackPictures(NamedTuple):
    """One frame of the film, seen along all tracks.

    Args:
        frame: its position in the film, from 0.
        pictures: uint8 [tracks, height, width, 3], cropped.
    """

    frame: int
    pictures: np.ndarray


class ArrivingPictures(NamedTuple):
    """What a pass has rendered, on its way to the host.

    Args:
        frames: their positions in the film. Where there are more of them than pictures of a track,
            all show the same.
        tracks: pictures of each frame.
        pictures: uint8 [frames x tracks or tracks, height, width, 3].
    """

    frames: range
    tracks: int
    pictures: ArrivingFrames


class CheckpointSpan(NamedTuple):
    """Neighbouring frames that show one checkpoint: `first` to `end`, without `end`."""

    batch: int
    first: int
    end: int


class DeviceRenderer:
    """Modules on a device that take turns at holding checkpoints, and passes through them.

    Args:
        source: gives the generators.
        device: such as `cpu` or `cuda:0`.
    """

    def __init__(self, source: CheckpointSource, plan: RenderPlan, device: str) -> None:
        self._source, self._plan, self._device = source, plan, device
        self._frames_at_once = 1 if plan.is_static else max(1, MOVING_BATCH // len(plan.labels))
        # One module more than concurrent passes, so that weights are loaded beside the passes.
        self._modules = [source.build().to(device) for _ in range(concurrency_of(device) + 1)]
        self._shown: dict[nn.Module, nn.Module] = {}
        self._stream = ForwardStream(device)
        self._renderer = FrameRenderer(
            precision=plan.options.precision,
            fixed_batch=len(plan.labels) * self._frames_at_once,
            compile=plan.options.compile,
        )

    def render(self, part: Part) -> Generator[TrackPictures, None, None]:
        """The frames of a part, in order. Close the generator to stop early.

        Raises:
            RenderError: a checkpoint is missing.
        """
        self._renderer.begin_part()
        spans = list_spans(part)
        batches = [span.batch for span in spans]
        stream = stream_exactly(self._source, batches, self._device, self._modules)
        passes = run_in_order(self._passes(spans, stream), concurrency_of(self._device))
        with closing(stream), closing(passes):
            yield from chain.from_iterable(map(self._receive, passes))

    def _passes(
        self, spans: Sequence[CheckpointSpan], stream: Iterator[tuple[int, nn.Module]]
    ) -> Iterator[Callable[[], ArrivingPictures]]:
        """Forward passes to be done, each of which makes some neighbouring frames."""
        for span, (_, held) in zip(spans, stream, strict=True):
            G, written = self._shown_of(held), self._stream.mark_weights()
            # Static points are rendered once, for every frame of this checkpoint.
            at_once = span.end - span.first if self._plan.is_static else self._frames_at_once
            for first in range(span.first, span.end, at_once):
                frames = range(first, min(first + at_once, span.end))
                yield partial(self._render, G, written, frames)

    def _shown_of(self, G: nn.Module) -> nn.Module:
        """What the film shows of a generator: its pictures, large or small, or those of a layer."""
        view, scatter = self._plan.options.layer, self._plan.options.scatter
        if G not in self._shown:
            shown = G if view is None else LayerPictures(G, view)
            small = scatter and SmallPictures(shown, scatter.picture_px)
            self._shown[G] = small or shown
        return self._shown[G]

    def _render(self, G: nn.Module, written: Any, frames: range) -> ArrivingPictures:
        """Neighbouring frames in one forward pass, which is over when this returns.

        The copy of the frames may go on; the next pass need not wait for it.
        """
        z = self._plan.z(frames[0], frames[0] + 1 if self._plan.is_static else frames.stop)
        with self._stream.passes_after(written):
            rendered = self._renderer.render_on_device(G, z.flatten(0, 1))
            return ArrivingPictures(frames, z.shape[1], self._stream.copy_back(rendered))

    def _receive(self, rendered: ArrivingPictures) -> Iterator[TrackPictures]:
        pictures = self._plan.options.display.apply_crop(rendered.pictures.receive())
        by_frame = pictures.reshape(-1, rendered.tracks, *pictures.shape[1:])
        for offset, frame in enumerate(rendered.frames):
            yield TrackPictures(frame, by_frame[offset % len(by_frame)])


def list_spans(part: Part) -> list[CheckpointSpan]:
    """The checkpoints of a part, in order, and the frames that show each.

    Example:
        >>> for span in list_spans(Part(10, (5, 5, 6), "")):
        ...     print(span)
        CheckpointSpan(batch=5, first=10, end=12)
        CheckpointSpan(batch=6, first=12, end=13)
    """
    spans, first = [], part.first
    for batch, frames in groupby(part.batches):
        end = first + sum(1 for _ in frames)
        spans.append(CheckpointSpan(batch, first, end))
        first = end
    return spans
