"""Frames of one device: passes beside which the weights of the next checkpoint are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from renderers.frames.devices import exact_arithmetic
from renderers.frames.forward_stream import ArrivingFrames, ForwardStream
from renderers.frames.frame_renderer import render_frames
from renderers.jobs import device_renderer
from renderers.jobs.device_renderer import DeviceRenderer
from renderers.plan.render_plan import make_plan
from tests.renderers.tiny import SHORT_PARTS, GrowingSource, two_points

DEVICES = ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
def test_every_frame_shows_the_weights_of_its_own_checkpoint(device):
    if device != "cpu" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    plan = make_plan(two_points(), range(60), SHORT_PARTS)
    z = torch.stack([point.z for point in two_points()])
    with exact_arithmetic():
        alone = [render_frames(G, z).copy() for _, G in GrowingSource().stream(range(20), device)]
        rendered = list(DeviceRenderer(GrowingSource(), plan, device).render(plan.parts[0]))
    assert [shown.frame for shown in rendered] == list(range(20))
    for shown, expected in zip(rendered, alone, strict=True):
        difference = np.abs(shown.pictures.astype(int) - expected.astype(int))
        assert difference.max() <= (device != "cpu"), "graphs and plain passes round alike"
    assert np.abs(alone[0].astype(int) - alone[19].astype(int)).max() > 20


class SlowBus(ForwardStream):
    """A device whose frames arrive only once its next pass is over.

    No test can make the copies of a real GPU so slow, and most machines that run the tests have
    none. Frames leave a device through `copy_back` alone, so this is where they are held up.
    """

    said: list[tuple[str, int]]

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.over = [Event() for _ in range(21)]

    def copy_back(self, frames: Tensor) -> ArrivingFrames:
        number = sum(event.is_set() for event in self.over)
        self.said.append(("pass", number))
        self.over[number].set()
        return LateFrames(super().copy_back(frames), self.over[number + 1], number)


class LateFrames(ArrivingFrames):
    """Frames behind the next pass; the first ones, and the last, have none to wait for."""

    def __init__(self, frames: ArrivingFrames, next_is_over: Event, number: int) -> None:
        self._frames, self._next_is_over, self._number = frames, next_is_over, number

    def receive(self) -> np.ndarray:
        if 0 < self._number < 19:
            assert self._next_is_over.wait(10), "the next pass waits for these frames"
        return self._frames.receive()


class NotedSource(GrowingSource):
    """A source that notes when it writes weights."""

    def stream(
        self, batches: Sequence[int], device: str, into: Sequence[nn.Module] = ()
    ) -> Iterator[tuple[int, nn.Module]]:
        for number, item in enumerate(super().stream(batches, device, into)):
            SlowBus.said.append(("weights", number))
            yield item


def test_a_pass_waits_for_no_frames_and_weights_for_the_pass_through_their_module(monkeypatch):
    SlowBus.said = []
    monkeypatch.setattr(device_renderer, "ForwardStream", SlowBus)
    monkeypatch.setattr(device_renderer, "concurrency_of", lambda device: 1)  # as on a GPU
    plan = make_plan(two_points(), range(60), SHORT_PARTS)
    rendered = list(DeviceRenderer(NotedSource(), plan, "cpu").render(plan.parts[0]))
    z = torch.stack([point.z for point in two_points()])
    for shown, (_, G) in zip(rendered, GrowingSource().stream(range(20), "cpu"), strict=True):
        assert np.array_equal(shown.pictures, render_frames(G, z))
    said = SlowBus.said
    assert len(said) == 40
    for number in range(18):  # Two modules take turns.
        assert said.index(("pass", number)) < said.index(("weights", number + 2))


@pytest.mark.gpu
def test_frames_that_somebody_holds_stay_while_later_ones_are_copied():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    stream, held = ForwardStream("cuda:0"), []
    for number in range(64):
        with stream.passes_after(stream.mark_weights()):
            frames = torch.full((6, 64, 64, 3), number, dtype=torch.uint8, device="cuda:0")
            held.append(stream.copy_back(frames))
            del frames  # Later passes may have its memory as soon as it was copied.
    for number, arriving in enumerate(held):
        assert (arriving.receive() == number).all()
