import itertools
import time

import numpy as np
import pytest
from PIL import Image

from studio.screens.checkpoints.timeline.axis_thumbnails import (
    MAX_THUMBNAILS,
    SIZE_PX,
    AxisThumbnails,
    choose_places,
    coarse_first,
)
from studio.screens.parts.app_context import shown_points
from studio.screens.parts.picture_cache import PictureCache
from tests.studio.conftest import BATCHES


def thumbnails_of(workspace):
    cache = PictureCache(workspace)
    return AxisThumbnails(workspace, cache, lambda run: shown_points(workspace, run)), cache


def whole(thumbnails, label=""):
    """The sheet once nothing is lacking."""
    for _ in range(600):
        sheet = thumbnails.look("city", label)
        if not sheet.lacking:
            return sheet
        time.sleep(0.05)
    raise AssertionError("The sheet did not come to an end.")


def wait_for_files(workspace, count):
    for _ in range(600):
        if len(list(workspace.timelines.glob("*.json"))) == count:
            return
        time.sleep(0.05)
    raise AssertionError("The sheet was not kept.")


def test_a_sheet_is_made_once_and_kept(workspace, monkeypatch):
    thumbnails, _ = thumbnails_of(workspace)
    assert thumbnails.look("city", "").lacking == BATCHES
    sheet = whole(thumbnails)
    assert sheet.batches == tuple(range(1, BATCHES + 1))
    wait_for_files(workspace, 1)
    (path,) = workspace.timelines.glob("*.png")
    assert Image.open(path).size == (SIZE_PX * BATCHES, SIZE_PX)
    again, cache = thumbnails_of(workspace)
    monkeypatch.setattr(cache, "render", None)  # Nothing is drawn again.
    assert again.look("city", "") == sheet


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + 40 * b"\0", b"\xff\xd8\xff"])
def test_a_damaged_sheet_is_drawn_anew(workspace, content):
    sheet = whole(thumbnails_of(workspace)[0])
    wait_for_files(workspace, 1)
    (path,) = workspace.timelines.glob("*.png")
    path.write_bytes(content)
    thumbnails, _ = thumbnails_of(workspace)
    assert thumbnails.look("city", "").lacking == BATCHES
    assert whole(thumbnails) == sheet


def test_a_run_that_grows_keeps_most_of_its_places():
    short, long = (set(choose_places(range(1, last))) for last in (6000, 9000))
    assert len(short & long) > 0.4 * len(short)
    for last in (1, 2, 63, 64, 65, 20_000):
        assert 1 <= len(choose_places(range(last))) <= MAX_THUMBNAILS
    assert choose_places([]) == []


def test_a_thinned_run_shows_what_is_kept():
    kept = [0, 1, 2, 3, 500, 20_000]
    assert set(choose_places(kept)) <= set(kept)


def test_what_is_far_apart_comes_first():
    order = coarse_first(list(range(64)))
    assert sorted(order) == list(range(64))
    assert order[:4] == [0, 32, 16, 48]
    steps = [min(abs(a - b) for b in order[:i]) for i, a in enumerate(order) if i]
    assert all(a >= b for a, b in itertools.pairwise(steps))


def test_the_first_point_is_shown_where_none_is_named(workspace):
    thumbnails, _ = thumbnails_of(workspace)
    first = shown_points(workspace, "city")[0].label
    assert whole(thumbnails).mark == whole(thumbnails, first).mark
    assert np.asarray(whole(thumbnails).content).size
