from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from renderers.frames import FrameRenderer, render_cross, render_frames
from tests.renderers.tiny import Flat, GreySource, TinyGenerator, level_of, two_points


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


def test_a_cross_has_points_down_and_batches_across() -> None:
    cross = render_cross(GreySource(), two_points(), [3, 5, 9])
    assert cross.shape == (2, 3, 16, 16, 3)
    assert cross[:, :, 0, 0, 0].tolist() == [[level_of(3), level_of(5), level_of(9)]] * 2
