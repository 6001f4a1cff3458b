from __future__ import annotations

import numpy as np
import pytest
import torch

from latent.errors import UserError
from latent.interpolation import slerp
from renderers.frames import render_frames
from renderers.interpolation import render_interpolation
from renderers.plan import RenderOptions
from renderers.video import count_frames, read_frames
from tests.renderers.tiny import TinyGenerator, two_points


def test_each_step_of_the_route_is_one_frame(tmp_path) -> None:
    G = TinyGenerator().eval()
    a, b = (point.z for point in two_points())
    route = slerp(a, b, torch.linspace(0, 1, 50))
    told: list[tuple[int, int]] = []
    video = render_interpolation(
        G,
        route,
        tmp_path / "walk.mp4",
        RenderOptions(fps=25, scale=4, crf=8),
        lambda done, total: told.append((done, total)),
    )
    assert (video.path.name, video.frames, count_frames(video.path)) == ("walk.mp4", 50, 50)
    assert told[-1] == (50, 50)
    expected = render_frames(G, route)
    for frame, picture in zip(read_frames(video.path), expected, strict=True):
        assert np.abs(frame[1::4, 1::4].mean((0, 1)) - picture.mean((0, 1))).max() < 3


def test_an_empty_route_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="no frames"):
        render_interpolation(TinyGenerator().eval(), torch.zeros(0, 8), tmp_path / "walk.mp4")


def test_a_failure_of_the_generator_leaves_nothing(tmp_path) -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        render_interpolation(TinyGenerator().eval(), torch.zeros(9, 5), tmp_path / "walk.mp4")
    assert not any(tmp_path.iterdir())
