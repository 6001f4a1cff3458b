"""Frames of one device: passes beside which the weights of the next checkpoint are written."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from renderers.frames.devices import exact_arithmetic
from renderers.frames.frame_renderer import render_frames
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
