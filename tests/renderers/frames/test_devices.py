from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from renderers.frames.devices import exact_arithmetic
from tests.renderers.tiny import GrowingSource, render_tiny


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
