from __future__ import annotations

import shutil

import pytest

from renderers.errors import RenderError
from renderers.jobs.verification import find_render, verify_video
from renderers.video.video_reader import count_frames
from tests.renderers.tiny import GrowingSource, render_tiny


@pytest.fixture
def videos(tmp_path):
    return render_tiny(tmp_path, GrowingSource(), range(30))


def test_a_whole_video_is_what_its_plan_says(tmp_path, videos) -> None:
    file = videos[1].path
    assert find_render(tmp_path, file) == tmp_path / "render"
    verdict = verify_video(tmp_path / "render", file)
    assert (verdict.label, verdict.expected, verdict.frames, verdict.reason) == (
        *("seed:2", 30, 30),
        None,
    )


def test_of_two_renders_that_name_a_video_the_one_that_it_lies_in_made_it(tmp_path) -> None:
    (tmp_path / "film").mkdir()
    first = render_tiny(tmp_path / "film", GrowingSource(), range(5))[0].path
    folders = [path.parent for path in tmp_path.rglob("videos.json")]
    assert len(folders) == 1
    own = folders[0].rename(tmp_path / "own")
    for name in ("a-copy", "z-copy"):  # Whichever of them a file system names first.
        shutil.copytree(own, tmp_path / name)
    inside = own / first.name
    first.rename(inside)
    assert find_render(tmp_path, inside) == own


def test_a_video_of_another_length_is_not(tmp_path, videos) -> None:
    (tmp_path / "other").mkdir()
    other = render_tiny(tmp_path / "other", GrowingSource(), range(7))[0].path
    other.replace(videos[0].path)
    verdict = verify_video(tmp_path / "render", videos[0].path)
    assert verdict.frames == count_frames(videos[0].path) == 7
    assert verdict.reason == "it has 7 frames instead of 30"


def test_a_video_that_is_damaged_or_gone_is_not(tmp_path, videos) -> None:
    first, second, _ = (video.path for video in videos)
    first.write_bytes(first.read_bytes()[:-200])
    second.unlink()
    for path in (first, second):
        verdict = verify_video(tmp_path / "render", path)
        assert verdict.frames == 0
        assert path.name in (verdict.reason or "")


def test_a_file_that_no_render_made_is_told(tmp_path, videos) -> None:
    with pytest.raises(RenderError, match="There is no video"):
        find_render(tmp_path, tmp_path / "none.mp4")
    other = tmp_path / "other.mp4"
    other.write_bytes(videos[0].path.read_bytes())
    with pytest.raises(RenderError, match="No finished render"):
        find_render(tmp_path, other)
