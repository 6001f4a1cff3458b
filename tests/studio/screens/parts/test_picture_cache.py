import base64
import io
import shutil
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex
from latent.points import sample_points
from renderers.frames.frame_renderer import FrameRenderer, render_frames
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


def test_a_picture_is_given_up_between_its_points(workspace, monkeypatch):
    """Whoever waits for the next one waits for a part of this one at most."""
    drawn, many = [], sample_points(3, range(8), PictureCache(workspace).z_dim("city"))
    render = FrameRenderer.render

    def count(renderer, G, z):
        drawn.append(len(z))
        return render(renderer, G, z)

    monkeypatch.setattr(FrameRenderer, "render", count)
    picture_cache = PictureCache(workspace)
    whole = picture_cache.render("city", 3, many)
    assert sum(drawn) == len(whole) == 8
    wholly, answers = len(drawn), iter([True, True, False])
    assert picture_cache.render("city", 3, many, lambda: next(answers)) is None
    assert len(drawn) == wholly + 1 < 2 * wholly
    G = CheckpointIndex(workspace.runs)["city"].generator(3)
    expected = render_frames(G, torch.stack([point.z for point in many])).astype(int)
    assert np.abs(whole.astype(int) - expected).max() <= 1
