from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from renderers.errors import EncoderError
from renderers.plan.options import RenderOptions
from renderers.plan.outputs import Video
from renderers.plan.render_plan import make_plan
from renderers.video.encoders import VideoEncoder, choose_encoder
from renderers.video.video_reader import read_parameters
from tests.renderers.failing_cards import film_on_cards
from tests.renderers.fake_nvenc import fake_nvenc
from tests.renderers.jobs.test_rendering import assert_same, decoded, names, passes
from tests.renderers.tiny import SHORT_PARTS, GrowingSource, two_points

ONE, TWO = {"cuda:0": 0.0}, {"cuda:0": 0.0, "cuda:1": 0.0}
VIDEOS, PARTS = 3, 3
NVENC = replace(SHORT_PARTS, encoder="h264_nvenc")


def film(root: Path, cards: dict[str, float], options: RenderOptions = NVENC) -> list[Video]:
    """A film of three parts, with three videos each; its passes are noted in root/passes.log."""
    source = GrowingSource(log=root / "passes.log", pause_s=0.02)
    root.mkdir(exist_ok=True)
    return film_on_cards(root, source, make_plan(two_points(), range(60), options), cards)


@pytest.fixture
def by_x264(tmp_path: Path) -> list[np.ndarray]:
    """The frames of the film that x264 encodes."""
    return decoded(film(tmp_path / "x264", ONE, SHORT_PARTS))


@pytest.mark.slow
def test_each_card_encodes_its_own_pictures(tmp_path, monkeypatch, by_x264) -> None:
    begun = fake_nvenc(tmp_path / "fake", monkeypatch)
    videos = film(tmp_path / "film", TWO)
    cards = Counter(begun.read_text().split())
    assert set(cards) == {"0", "1"}
    assert cards.total() == VIDEOS * (PARTS + 2)  # Each card has tried all videos at a time first.
    assert [video.frames for video in videos] == [60] * VIDEOS
    assert any((one != other).any() for one, other in zip(decoded(videos), by_x264, strict=True))


def test_a_card_without_room_for_all_videos_at_a_time_is_found_out_before_the_first_part(
    tmp_path, monkeypatch, capfd, by_x264
) -> None:
    begun = fake_nvenc(tmp_path / "fake", monkeypatch, sessions=VIDEOS - 1)
    VideoEncoder("h264_nvenc", card=0).prove()
    VideoEncoder("h264_nvenc", card=0).prove(VIDEOS - 1)
    with pytest.raises(EncoderError, match="3 videos at a time: OpenEncodeSessionEx failed"):
        VideoEncoder("h264_nvenc", card=0).prove(VIDEOS)
    assert_same(film(tmp_path / "film", ONE), by_x264)
    assert passes(tmp_path / "film") == ["0 20", "20 20", "40 20"]
    assert "h264_nvenc is given up on cuda:0" in capfd.readouterr().err
    assert len(begun.read_text().split()) == 1 + (VIDEOS - 1) + VIDEOS + VIDEOS


def test_where_a_card_fails_to_encode_in_mid_film_all_parts_are_those_of_x264(
    tmp_path, monkeypatch, capfd, by_x264
) -> None:
    fake_nvenc(tmp_path / "fake", monkeypatch, failing_card="0", good_videos=2 * VIDEOS + 1)
    videos = film(tmp_path / "film", ONE)
    assert_same(videos, by_x264)
    # The second part is begun again at once, and the first one, which the card made, at the end.
    assert passes(tmp_path / "film") == ["0 20", "20 20", "20 20", "40 20", "0 20"]
    assert "EncodePicture failed" in capfd.readouterr().err
    assert names(tmp_path / "film" / "render") == [".lock", "plan.json", "videos.json"]


@pytest.mark.slow
def test_one_of_two_cards_that_fails_to_encode_takes_the_other_one_along(
    tmp_path, monkeypatch, by_x264
) -> None:
    fake_nvenc(tmp_path / "fake", monkeypatch, failing_card="1", good_videos=VIDEOS)
    assert_same(film(tmp_path / "film", TWO), by_x264)


@pytest.mark.slow
def test_streams_of_cards_of_several_kinds_are_not_joined(
    tmp_path, monkeypatch, caplog, by_x264
) -> None:
    begun = fake_nvenc(tmp_path / "fake", monkeypatch, several_kinds=True)
    assert_same(film(tmp_path / "film", TWO), by_x264)
    assert set(begun.read_text().split()) == {"0", "1"}
    assert "made on cards of several kinds" in caplog.text


@pytest.mark.slow
def test_a_killed_film_goes_on_with_the_encoder_that_it_had_gone_over_to(
    tmp_path, monkeypatch, by_x264
) -> None:
    def interrupt(done: int, total: int, rate: str = "") -> None:
        if 40 <= done < 60:
            raise KeyboardInterrupt

    source = GrowingSource(pause_s=0.02)
    plan = make_plan(two_points(), range(60), NVENC)
    begun = fake_nvenc(tmp_path / "fake", monkeypatch, failing_card="0")
    with pytest.raises(KeyboardInterrupt):
        film_on_cards(tmp_path / "film", source, plan, ONE, interrupt)
    [given_up] = (tmp_path / "film" / "render" / "parts").glob("without-h264_nvenc.json")
    assert "device lost" in json.loads(given_up.read_text())["reason"]
    before = begun.read_text()
    assert_same(film(tmp_path / "film", ONE), by_x264)
    assert passes(tmp_path / "film") == ["40 20"]
    assert begun.read_text() == before


def test_the_stream_of_a_part_tells_what_it_can_be_joined_with(tmp_path) -> None:
    first, second, grid = (read_parameters(v.path) for v in film(tmp_path, ONE, SHORT_PARTS))
    assert first[0] == 1  # the version of the box
    assert first == second != grid  # The grid is larger.
    (tmp_path / "short.mp4").write_bytes(b"avcC")
    assert read_parameters(tmp_path / "short.mp4") == b""


def test_auto_is_an_encoder_of_a_card_that_will_encode(tmp_path, monkeypatch) -> None:
    assert choose_encoder("auto") == "libx264"
    fake_nvenc(tmp_path / "fake", monkeypatch, failing_card="0")
    assert choose_encoder("auto", cards=[0]) == "libx264"
    assert choose_encoder("auto", cards=[0, 1]) == "h264_nvenc"
    with pytest.raises(EncoderError, match="'h264_nvenc' does not work on this machine"):
        choose_encoder("h264_nvenc", cards=[0])


def test_a_machine_that_does_not_encode_is_not_asked() -> None:
    assert choose_encoder("auto", is_here=False) == "h264_nvenc"
    assert choose_encoder("h264_nvenc", is_here=False) == "h264_nvenc"
    assert choose_encoder("auto", "vp9", is_here=False) == "libvpx-vp9"
