from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from renderers.errors import RenderError
from renderers.frames.devices import device_here, exact_arithmetic, require_devices
from renderers.jobs.device_renderer import DeviceRenderer
from renderers.jobs.parts import PartFolder, PartRenderer
from renderers.jobs.workers import render_parts
from renderers.plan.render_plan import make_plan
from renderers.progress import ignore_progress
from tests.renderers.tiny import SHORT_PARTS, GrowingSource, render_tiny, two_points


def settings() -> dict[str, object]:
    cudnn = torch.backends.cudnn
    return {
        "tf32": cudnn.allow_tf32,
        "deterministic": cudnn.deterministic,
        "benchmark": cudnn.benchmark,
        "matmul": torch.get_float32_matmul_precision(),
    }


EXACT = {"tf32": False, "deterministic": True, "benchmark": False, "matmul": "highest"}


class _Watched(nn.Module):
    """A network that notes the arithmetic of each of its passes."""

    def __init__(self, G: nn.Module, seen: list[dict[str, object]]) -> None:
        super().__init__()
        self.dense, self.up, self._seen = G.dense, G.up, seen

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        self._seen.append(settings())
        pictures: torch.Tensor = torch.tanh(self.up(self.dense(z).view(-1, 8, 4, 4)))
        return pictures


@pytest.fixture
def loose() -> Iterator[dict[str, object]]:
    """Arithmetic as somebody may have set it who trains in the same process."""
    torch.set_float32_matmul_precision("high")
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
        yield settings()
    torch.set_float32_matmul_precision("highest")


def test_arithmetic_is_exact_within_the_block_and_as_before_after_it(loose) -> None:
    assert loose == {"tf32": True, "deterministic": False, "benchmark": True, "matmul": "high"}
    with exact_arithmetic():
        assert settings() == EXACT
    assert settings() == loose


def test_every_pass_of_a_film_is_exact(tmp_path, loose) -> None:
    seen: list[dict[str, object]] = []

    class Source(GrowingSource):
        def build(self) -> nn.Module:
            return _Watched(super().build(), seen).eval()

    render_tiny(tmp_path, Source(), range(5))
    assert len(seen) > 5
    assert all(found == EXACT for found in seen)
    assert settings() == loose


LISTED = """GPU 0: NVIDIA H100 (UUID: GPU-5e1c0f1a-1111-2222-3333-444455556666)
  MIG 3g.40gb     Device  0: (UUID: MIG-aaaa1111-2222-3333-4444-555566667777)
  MIG 3g.40gb     Device  1: (UUID: MIG-bbbb1111-2222-3333-4444-555566667777)
"""
PARTS_OF_A_CARD = [line.split("UUID: ")[1].rstrip(")") for line in LISTED.splitlines()[1:]]


@pytest.fixture
def listed_cards(tmp_path, monkeypatch) -> None:
    """What `nvidia-smi -L` says of a card in two parts; there is none where the tests run."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n[ $1 = -L ] && cat <<'END'\n{LISTED}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def test_parts_of_a_card_are_named_as_the_driver_lists_them(listed_cards) -> None:
    assert require_devices([*PARTS_OF_A_CARD, "cpu"]) == [*PARTS_OF_A_CARD, "cpu"]
    assert device_here([*PARTS_OF_A_CARD, "cuda:1"]) == "cuda:1"
    assert device_here(PARTS_OF_A_CARD) == "cpu"
    with pytest.raises(RenderError, match=r"no device 'MIG-cccc'.* has: cpu, GPU-5e1c.*, MIG-aaaa"):
        require_devices(["MIG-cccc"])


@dataclass(frozen=True)
class _SeeingPartRenderer(PartRenderer):
    """Notes which card its process sees, and works on the CPU."""

    log: Path

    def _renderer_on(self, device: str) -> DeviceRenderer:
        with self.log.open("a") as log:
            log.write(f"{device} of {os.environ['CUDA_VISIBLE_DEVICES']}\n")
        return super()._renderer_on("cpu")


@pytest.mark.parametrize("cards", [PARTS_OF_A_CARD[:1], PARTS_OF_A_CARD])
def test_each_part_of_a_card_has_a_process_that_sees_it_alone(
    tmp_path, monkeypatch, cards: Sequence[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    plan = make_plan(two_points(), range(40), SHORT_PARTS)
    parts = PartFolder(tmp_path / "parts", plan)
    renderer = _SeeingPartRenderer(GrowingSource(pause_s=0.1), parts, tmp_path / "seen")
    render_parts(renderer, plan.parts, cards, ignore_progress)
    seen = (tmp_path / "seen").read_text().splitlines()
    assert set(seen) == {f"cuda:0 of {card}" for card in cards}
    assert len(seen) == len(plan.parts)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
    assert not parts.missing()
