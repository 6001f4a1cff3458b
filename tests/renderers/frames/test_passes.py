from __future__ import annotations

import logging
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from renderers.errors import CompilationError
from renderers.frames.devices import known_devices
from renderers.frames.frame_renderer import FrameRenderer, render_frames
from renderers.frames.passes import FixedShapePasses, forward_frames
from tests.renderers.tiny import Z_DIM, TinyGenerator

needs_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")


def two_generators(device: str = "cpu") -> list[nn.Module]:
    return [TinyGenerator().eval().to(device) for _ in range(2)]


class Noted:
    """Passes that say what they were asked for."""

    def __init__(self, compiled: bool) -> None:
        self.asked: list[int] = []
        self.brightness = 0

    def forget(self) -> None:
        self.asked.clear()

    def __call__(self, G: nn.Module, z: Tensor, precision: str) -> Tensor:
        self.asked.append(len(z))
        return forward_frames(G, z, precision) // 2 + self.brightness


@pytest.fixture
def noted(monkeypatch) -> Noted:
    noted = Noted(compiled=True)
    monkeypatch.setattr("renderers.frames.frame_renderer.FixedShapePasses", lambda compiled: noted)
    return noted


@pytest.mark.slow
@needs_compiler
def test_compiled_passes_show_what_plain_ones_do() -> None:
    renderer, z = FrameRenderer(fixed_batch=4, compile=True), torch.randn(4, Z_DIM)
    for G in [*two_generators(), TinyGenerator().eval()]:
        for count in (4, 3):
            frames = renderer.render(G, z[:count])
            plain = render_frames(G, z[:count])
            assert plain.std() > 5
            assert abs(frames.astype(int) - plain).max() <= 1


@pytest.mark.slow
@needs_compiler
def test_modules_of_one_architecture_are_compiled_once() -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    passes, z = FixedShapePasses(compiled=True), torch.randn(4, Z_DIM)
    with torch.inference_mode():
        for G in 2 * two_generators():
            passes(G, z, "float32")
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_what_cannot_be_compiled_is_told(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=refuse))
    G, renderer = TinyGenerator().eval(), FrameRenderer(fixed_batch=2, compile=True)
    with pytest.raises(CompilationError, match=r"generator cannot .* no C\+\+ compiler\.$"):
        renderer.render(G, torch.randn(2, Z_DIM))


def test_steady_passes_have_one_shape_and_frames_are_those_that_were_asked_for(noted) -> None:
    G, z = TinyGenerator().eval(), torch.randn(5, Z_DIM)
    noted.brightness = 64
    renderer = FrameRenderer(max_batch=3, fixed_batch=5, compile=True)
    renderer._is_proven = True  # which these frames would not stand
    frames = renderer.render(G, z)
    assert noted.asked == [3, 3]
    np.testing.assert_array_equal(frames, render_frames(G, z, 3) // 2 + 64)


def test_frames_that_come_out_otherwise_are_made_plainly_until_the_next_part(noted, caplog) -> None:
    caplog.set_level(logging.INFO)
    G, z = TinyGenerator().eval(), torch.randn(4, Z_DIM)
    renderer = FrameRenderer(fixed_batch=4, compile=True)
    for parts in (1, 2):
        np.testing.assert_array_equal(renderer.render(G, z), render_frames(G, z))
        np.testing.assert_array_equal(renderer.render(G, z), render_frames(G, z))
        assert noted.asked == [4] * parts
        renderer.begin_part()
    assert "Plain float32 is used" in caplog.text


def test_on_a_processor_passes_that_are_not_compiled_are_not_filled_up(noted) -> None:
    G, z = TinyGenerator().eval(), torch.randn(2, Z_DIM)
    np.testing.assert_array_equal(FrameRenderer(fixed_batch=8).render(G, z), render_frames(G, z))
    assert noted.asked == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("device", ["cuda:0", "cuda:1"])
@torch.inference_mode()
def test_recorded_passes_show_the_weights_that_are_there(device, precision, compiled) -> None:
    if device not in known_devices():
        pytest.skip(f"no {device}")
    passes, generators = FixedShapePasses(compiled), two_generators(device)
    kept = []
    for turn in range(6):
        for G in generators:
            z = torch.randn(4, Z_DIM, device=device)
            G.dense.weight.copy_(torch.randn_like(G.dense.weight))
            kept.append((passes(G, z, precision), forward_frames(G, z, precision)))
        recorded = sum(map(bool, passes._recordings.values()))
        assert recorded == (0 if turn == 0 else len(generators))
    for frames, plain in kept:  # at the end: nothing was written over them meanwhile
        assert (frames.int() - plain.int()).abs().max() <= compiled


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_generator_that_waits_for_the_device_is_not_recorded() -> None:
    class Waiting(TinyGenerator):
        def forward(self, z: Tensor) -> Tensor:
            return super().forward(z) * float(z.abs().max() > 0)

    G, z, renderer = (
        Waiting().eval().to("cuda"),
        torch.randn(4, Z_DIM),
        FrameRenderer(fixed_batch=4),
    )
    for _ in range(4):
        np.testing.assert_array_equal(renderer.render(G, z), render_frames(G, z))
    assert not renderer._passes._may_record
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
