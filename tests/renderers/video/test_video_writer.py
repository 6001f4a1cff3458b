from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from renderers.errors import RenderError
from renderers.pictures.display_options import DisplayOptions
from renderers.video.encoders import VideoEncoder
from renderers.video.video_reader import count_frames, read_frames
from renderers.video.video_writer import VideoWriter
from tests.renderers.tiny import greys, write_film

PLAIN = "format=yuv420p"


def test_an_odd_size_gets_one_more_row_and_column_like_the_last(tmp_path) -> None:
    frame = np.zeros((33, 35, 3), np.uint8)
    frame[-8:] = 200
    (decoded,) = read_frames(write_film(tmp_path / "odd.mp4", [frame]))
    assert decoded.shape == (34, 36, 3)
    assert abs(decoded[-1].astype(int) - 200).max() <= 6


def test_enlarged_pixels_keep_their_edges_and_colours(tmp_path) -> None:
    mosaic = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    path = write_film(tmp_path / "m.mp4", [mosaic], DisplayOptions(scale=8), VideoEncoder(crf=4))
    (decoded,) = read_frames(path)
    assert abs(decoded[4::8, 4::8].astype(int) - mosaic).max() <= 8


@pytest.mark.parametrize("count", [1, 2, 61, 250])
def test_as_many_frames_come_out_as_went_in_and_in_order(tmp_path, count) -> None:
    path = write_film(tmp_path / "film.mp4", greys(count))
    assert count_frames(path) == count
    levels = [frame.mean() for frame in read_frames(path)]
    assert np.abs(np.array(levels) - np.arange(count)).max() <= 1.5


def test_an_exception_leaves_nothing_behind(tmp_path) -> None:
    def fail() -> None:
        with VideoWriter(tmp_path / "film.mp4", 32, 32, 24, PLAIN, VideoEncoder()) as video:
            video.add(np.zeros((32, 32, 3), np.uint8))
            raise KeyError("mine")

    with pytest.raises(KeyError):
        fail()
    assert not any(tmp_path.iterdir())


def test_a_video_that_was_there_stays_until_the_new_one_is_complete(tmp_path) -> None:
    path = write_film(tmp_path / "film.mp4", greys(3))
    with VideoWriter(path, 32, 32, 24, PLAIN, VideoEncoder()) as video:
        video.add(np.zeros((32, 32, 3), np.uint8))
        assert count_frames(path) == 3
    assert count_frames(path) == 1


@pytest.mark.parametrize(("name", "encoder"), [("film.mp4", "libx264"), ("film.webm", "libsvtav1")])
def test_an_encoder_that_refuses_is_told_with_its_own_words(tmp_path, name, encoder) -> None:
    with pytest.raises(RenderError, match=r"film\.\w+ stopped .*hasty"):
        write_film(tmp_path / name, greys(250), encoder=VideoEncoder(encoder, "hasty"))
    assert not any(tmp_path.iterdir())


def test_an_encoder_that_is_killed_is_told_and_leaves_nothing(tmp_path) -> None:
    frame = np.zeros((256, 256, 3), np.uint8)

    def lose_the_encoder() -> None:
        with VideoWriter(tmp_path / "film.mp4", 256, 256, 24, PLAIN, VideoEncoder()) as video:
            video.add(frame)
            os.kill(video.process_id, signal.SIGKILL)
            for _ in range(100):
                video.add(frame)

    with pytest.raises(RenderError, match="killed by signal 9"):
        lose_the_encoder()
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_told(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RenderError, match="Cannot write"):
        write_film(tmp_path / "file" / "film.mp4", greys(1))


def test_a_frame_of_another_size_is_our_mistake(tmp_path) -> None:
    with (
        pytest.raises(ValueError, match=r"expected uint8 \(32, 32, 3\)"),
        VideoWriter(tmp_path / "film.mp4", 32, 32, 24, PLAIN, VideoEncoder()) as video,
    ):
        video.add(np.zeros((32, 33, 3), np.uint8))


def test_a_damaged_video_cannot_be_counted(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 64, 64, 3), np.uint8)
    path = write_film(tmp_path / "film.mp4", noise)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    path.write_bytes(content)
    with pytest.raises(RenderError, match=r"Reading .* failed"):
        count_frames(path)
