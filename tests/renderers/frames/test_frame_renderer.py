from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from renderers.frames.frame_renderer import FrameRenderer, render_frames
from tests.renderers.tiny import Flat, TinyGenerator


class Cramped(TinyGenerator):
    """Runs out of memory above three pictures, as a small GPU would."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def forward(self, z: Tensor) -> Tensor:
        self.asked.append(len(z))
        if len(z) > 3:
            raise torch.OutOfMemoryError(f"{len(z)} pictures do not fit")
        return super().forward(z)


def test_minus_one_zero_and_one_become_0_128_and_255() -> None:
    frames = render_frames(Flat([-1, 0, 1], 4, 6).eval(), torch.zeros(2, 8))
    assert frames.shape == (2, 4, 6, 3)
    assert frames.dtype == np.uint8
    assert frames[1, 3, 5].tolist() == [0, 128, 255]


def test_values_beyond_the_range_are_clamped_and_nan_is_black() -> None:
    frames = render_frames(Flat([-3, 3, float("nan")]).eval(), torch.zeros(1, 8))
    assert frames[0, 0, 0].tolist() == [0, 255, 0]


def test_pictures_do_not_depend_on_how_many_are_rendered_at_once() -> None:
    G, z = TinyGenerator().eval(), torch.randn(7, 8)
    whole = render_frames(G, z).astype(int)
    assert whole.std() > 5
    for max_batch in (1, 2, 5):
        assert abs(render_frames(G, z, max_batch) - whole).max() <= 1


def test_out_of_memory_halves_the_batch_and_is_remembered() -> None:
    G, z = Cramped().eval(), torch.randn(8, 8)
    renderer = FrameRenderer(max_batch=8)
    frames = renderer.render(G, z)
    assert frames.shape == (8, 16, 16, 3)
    assert renderer.max_batch == 2
    G.asked.clear()
    np.testing.assert_array_equal(renderer.render(G, z), frames)
    assert G.asked == [2, 2, 2, 2]


def test_a_picture_that_does_not_fit_alone_is_an_error() -> None:
    class Hopeless(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("nothing fits")

    with pytest.raises(torch.OutOfMemoryError, match="nothing fits"):
        FrameRenderer(max_batch=4).render(Hopeless(), torch.zeros(4, 8))


def test_bf16_is_used_where_frames_stay_within_a_level() -> None:
    renderer, z = FrameRenderer(precision="bf16"), torch.randn(4, 8)
    exact = renderer.render(Flat([-1, 0, 1]).eval(), z)
    assert renderer.precision == "bf16"
    assert (exact == render_frames(Flat([-1, 0, 1]).eval(), z)).all()


def test_float32_is_used_where_bf16_would_show_and_proven_anew_in_the_next_part() -> None:
    class Fine(nn.Module):
        """Amplifies what bf16 rounds away."""

        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(8, 3)

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return torch.sin(1000 * self.dense(z).float())[:, :, None, None].expand(-1, 3, 4, 4)

    torch.manual_seed(0)
    G, z, renderer = Fine().eval(), torch.randn(4, 8), FrameRenderer(precision="bf16")
    assert (renderer.render(G, z) == render_frames(G, z)).all()
    assert renderer.precision == "float32"
    renderer.begin_part()
    assert renderer.precision == "bf16"
