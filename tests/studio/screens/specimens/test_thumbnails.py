"""Pictures of specimens are given to a GET, drawn once, and checked on the server."""

import io
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex
from renderers.frames.frame_renderer import render_frames
from studio.screens.parts.picture_cache import PictureCache
from studio.screens.specimens.gallery import thumbnail_store
from studio.screens.specimens.gallery.thumbnail_store import ThumbnailStore
from studio.specimens.points import FIXED, points_of
from tests.studio.conftest import BATCHES


@pytest.fixture
def store(workspace):
    return ThumbnailStore(workspace, PictureCache(workspace))


@pytest.fixture
def points(workspace):
    return points_of(workspace, "city", FIXED)


def ask(store, address, **other):
    """The answer to a GET of an address, with some of its parameters changed."""
    params = dict(parse_qsl(urlsplit(address).query)) | other
    return store.answer(SimpleNamespace(query_params=params))


def pixels(answer):
    return np.asarray(Image.open(io.BytesIO(answer.body)))


def files(workspace):
    return [path for path in workspace.thumbnails.rglob("*") if path.is_file()]


def test_a_picture_is_that_of_its_specimen_and_may_be_kept_for_good(workspace, store, points):
    G = CheckpointIndex(workspace.runs)["city"].generator(BATCHES)
    frames = render_frames(G, torch.stack([point.z for point in points]))
    for address, frame in zip(store.addresses("city", points), frames, strict=True):
        answer = ask(store, address)
        assert (answer.status_code, answer.media_type) == (200, "image/png")
        assert "immutable" in answer.headers["cache-control"]
        assert np.array_equal(pixels(answer), frame)
        assert np.array_equal(pixels(ask(store, address, size="large")), frame)


def test_one_request_draws_the_others_and_a_later_studio_finds_them(workspace, store, points):
    addresses = store.addresses("city", points)
    first = ask(store, addresses[0])
    assert len(files(workspace)) == min(len(points), thumbnail_store.AT_ONCE)
    later = ThumbnailStore(workspace, SimpleNamespace(batches=None))  # It draws nothing any more.
    later._wanted = store._wanted | {s.key: s for s in store._show("city", points)}
    assert ask(later, addresses[0]).body == first.body


def test_an_address_is_good_after_a_restart(workspace, store, points):
    address = store.addresses("city", points)[-1]
    assert ask(ThumbnailStore(workspace, PictureCache(workspace)), address).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "0" * 32},
        {"key": "../../studio.db"},
        {"key": ""},
        {"label": "0.1"},
        {"label": "../../etc/passwd"},
        {"label": "99999.1"},
        {"run": "nobody"},
        {"run": "../city"},
        {"run": "city\0"},
    ],
)
def test_what_no_page_was_told_is_no_picture(workspace, store, points, changed):
    address = store.addresses("city", points[:1])[0]
    answer = ask(store, address, **changed)
    assert answer.status_code == 404
    assert b"detail" in answer.body
    assert "cache-control" not in answer.headers
    assert files(workspace) == []


def test_a_damaged_file_is_drawn_again_and_the_oldest_go(workspace, store, points, monkeypatch):
    address = store.addresses("city", points)[0]
    whole = ask(store, address).body
    key = dict(parse_qsl(urlsplit(address).query))["key"]
    (path,) = [path for path in files(workspace) if path.name == key]
    path.write_bytes(whole[:40])
    assert ask(store, address).body == whole
    assert path.read_bytes() == whole
    monkeypatch.setattr(thumbnail_store, "MAX_FILES", 2)
    store._trim()
    assert len(files(workspace)) == 2
