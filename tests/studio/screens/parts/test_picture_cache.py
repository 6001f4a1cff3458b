import base64
import io
import shutil
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex
from renderers.frames.frame_renderer import render_frames
from studio.screens.parts.picture_cache import PictureCache
from studio.specimens.points import FIXED, points_of
from studio.workspace import devices
from studio.workspace.errors import EXPECTED_ERRORS
from tests.studio.conftest import BATCHES, TINY


def decode(source):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))


@pytest.fixture
def points(workspace):
    return points_of(workspace, "city", FIXED)


def test_a_small_picture_is_the_rendered_one_to_the_pixel(workspace, points):
    run = CheckpointIndex(workspace.runs)["city"]
    picture_cache = PictureCache(workspace)
    for batch in (3, 1, BATCHES):
        frames = render_frames(run.generator(batch), torch.stack([p.z for p in points]))
        for source, frame in zip(picture_cache.show("city", batch, points), frames, strict=True):
            assert np.array_equal(decode(source), frame)


def test_a_picture_is_no_larger_than_asked_for(workspace, points):
    (source,) = PictureCache(workspace).show("city", 3, points[:1], limit_px=20)
    assert decode(source).shape == (20, 20, 3)


def test_another_run_of_the_same_name_is_seen_as_it_is(workspace, points, studio):
    picture_cache = PictureCache(workspace)
    picture_cache.show("city", BATCHES, points)
    shutil.rmtree(workspace.run("city"))
    studio("train", "streets", "--run", "city", "--batches", "2", *TINY)
    fresh = points_of(workspace, "city", FIXED)
    with pytest.raises(EXPECTED_ERRORS, match=str(BATCHES)):
        picture_cache.show("city", BATCHES, fresh)
    assert picture_cache.batches("city") == [1, 2]


def test_where_all_cards_are_at_work_pictures_are_drawn_on_the_cpu(workspace, points, monkeypatch):
    """Nothing could be computed on these cards: the machine has none."""
    expected = PictureCache(workspace).show("city", 3, points)
    cards = ["cuda:0", "cuda:1"]
    monkeypatch.setattr(devices, "choose_devices", lambda: cards)
    with ExitStack() as stack:
        for lease in devices.take_leases(workspace.leases, cards, 2, "training").values():
            stack.enter_context(lease)
        assert PictureCache(workspace).show("city", 3, points) == expected
    with pytest.raises((AssertionError, RuntimeError), match="CUDA"):
        PictureCache(workspace).show("city", 3, points)
