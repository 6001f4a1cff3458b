from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from latent.errors import UserError
from renderers.encoders import Encoder
from renderers.ffmpeg import ffmpeg_command
from renderers.video import VideoWriter, concatenate, count_frames, read_frames, watchable_scale

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (0, 0, 0), (255, 255, 255)]


def write_flat(path: Path, colours: list, height: int = 32, width: int = 32, **kwargs) -> Path:
    with VideoWriter(path, width, height, 24, **kwargs) as video:
        for colour in colours:
            video.add(np.full((height, width, 3), colour, np.uint8))
    return path


def greys(count: int, start: int = 0) -> list[tuple[int, int, int]]:
    return [(start + i, start + i, start + i) for i in range(count)]


def probe(path: Path, *arguments: str) -> str:
    command = ffmpeg_command("-v", "info", "-i", str(path), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize(("height", "width", "scale"), [(32, 32, 1), (16, 24, 4), (15, 21, 3)])
def test_pure_colours_survive_within_three_levels(tmp_path, height, width, scale) -> None:
    path = write_flat(tmp_path / "colours.mp4", COLOURS, height, width, scale=scale)
    for colour, frame in zip(COLOURS, read_frames(path), strict=True):
        assert abs(frame.astype(int) - colour).max() <= 3


def test_the_file_says_that_it_is_bt709_and_limited_range(tmp_path) -> None:
    said = probe(write_flat(tmp_path / "colours.mp4", COLOURS))
    assert "yuv420p(tv, bt709, progressive)" in said


def test_an_odd_size_gets_one_more_row_and_column_like_the_last(tmp_path) -> None:
    frame = np.zeros((33, 35, 3), np.uint8)
    frame[-8:] = 200
    with VideoWriter(tmp_path / "odd.mp4", 35, 33, 24) as video:
        video.add(frame)
    (decoded,) = read_frames(video.path)
    assert decoded.shape == (34, 36, 3)
    assert abs(decoded[-1].astype(int) - 200).max() <= 6


def test_enlarged_pixels_keep_their_edges_and_colours(tmp_path) -> None:
    mosaic = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    with VideoWriter(tmp_path / "m.mp4", 16, 16, 24, scale=8, encoder=Encoder(crf=4)) as video:
        video.add(mosaic)
    (decoded,) = read_frames(video.path)
    assert abs(decoded[4::8, 4::8].astype(int) - mosaic).max() <= 8


@pytest.mark.parametrize("count", [1, 2, 61, 250])
def test_as_many_frames_come_out_as_went_in_and_in_order(tmp_path, count) -> None:
    path = write_flat(tmp_path / "film.mp4", greys(count))
    assert count_frames(path) == count
    levels = [frame.mean() for frame in read_frames(path)]
    assert np.abs(np.array(levels) - np.arange(count)).max() <= 1.5


def test_joined_videos_have_all_frames_in_order_at_an_even_pace(tmp_path) -> None:
    spans = [(0, 50), (50, 1), (51, 70), (121, 99)]
    parts = [
        write_flat(tmp_path / f"it's {i}.mp4", greys(count, first))
        for i, (first, count) in enumerate(spans)
    ]
    path = tmp_path / "joined film: all.mp4"
    concatenate(parts, path, 220)
    assert count_frames(path) == 220
    levels = [frame.mean() for frame in read_frames(path)]
    assert np.abs(np.array(levels) - np.arange(220)).max() <= 1.5
    command = ffmpeg_command("-i", f"file:{path}", "-c", "copy", "-f", "framecrc", "-")
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    times = [int(line.split(",")[2]) for line in listed.splitlines() if line[0] != "#"]
    assert len(set(np.diff(times))) == 1


def test_joining_refuses_to_finish_with_another_number_of_frames(tmp_path) -> None:
    part = write_flat(tmp_path / "part.mp4", greys(10))
    with pytest.raises(UserError, match="10 frames instead of 11"):
        concatenate([part], tmp_path / "film.mp4", 11)
    with pytest.raises(UserError, match="film"):
        concatenate([part, tmp_path / "absent.mp4"], tmp_path / "film.mp4", 20)
    assert list(tmp_path.iterdir()) == [part]


def test_an_exception_leaves_nothing_behind(tmp_path) -> None:
    def fail() -> None:
        with VideoWriter(tmp_path / "film.mp4", 32, 32) as video:
            video.add(np.zeros((32, 32, 3), np.uint8))
            raise KeyError("mine")

    with pytest.raises(KeyError):
        fail()
    assert not any(tmp_path.iterdir())


def test_a_video_that_was_there_stays_until_the_new_one_is_complete(tmp_path) -> None:
    path = write_flat(tmp_path / "film.mp4", greys(3))
    with VideoWriter(path, 32, 32, 24) as video:
        video.add(np.zeros((32, 32, 3), np.uint8))
        assert count_frames(path) == 3
    assert count_frames(path) == 1


def test_an_encoder_that_refuses_is_told_with_its_own_words(tmp_path) -> None:
    with pytest.raises(UserError, match=r"film\.mp4 stopped .*hasty"):
        write_flat(tmp_path / "film.mp4", greys(500), encoder=Encoder(preset="hasty"))
    assert not any(tmp_path.iterdir())


def test_an_encoder_that_is_killed_is_told_and_leaves_nothing(tmp_path) -> None:
    frame = np.zeros((256, 256, 3), np.uint8)

    def lose_the_encoder() -> None:
        with VideoWriter(tmp_path / "film.mp4", 256, 256) as video:
            video.add(frame)
            os.kill(video.process_id, signal.SIGKILL)
            for _ in range(100):
                video.add(frame)

    with pytest.raises(UserError, match="killed by signal 9"):
        lose_the_encoder()
    assert not any(tmp_path.iterdir())


def test_a_name_that_is_not_mp4_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"'film\.avi': its name must end in \.mp4"):
        VideoWriter(tmp_path / "film.avi", 32, 32)


def test_a_folder_that_cannot_be_made_is_told(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot write"):
        VideoWriter(tmp_path / "file" / "film.mp4", 32, 32)


def test_a_frame_of_another_size_is_our_mistake(tmp_path) -> None:
    with (
        pytest.raises(ValueError, match=r"expected uint8 \(32, 32, 3\)"),
        VideoWriter(tmp_path / "film.mp4", 32, 32) as video,
    ):
        video.add(np.zeros((32, 33, 3), np.uint8))


def test_a_damaged_video_cannot_be_counted(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 64, 64, 3), np.uint8)
    with VideoWriter(tmp_path / "film.mp4", 64, 64) as video:
        for frame in noise:
            video.add(frame)
    content = bytearray(video.path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    video.path.write_bytes(content)
    with pytest.raises(UserError, match=r"Reading .* failed"):
        count_frames(video.path)


@pytest.mark.parametrize(
    ("height", "scale"), [(16, 32), (32, 16), (64, 8), (100, 6), (300, 2), (512, 1), (1024, 1)]
)
def test_small_pictures_are_enlarged_by_an_even_factor(height, scale) -> None:
    assert watchable_scale(height) == scale


def test_a_hardware_encoder_is_refused_where_it_cannot_encode_a_frame() -> None:
    Encoder().prove()
    if not os.path.exists("/dev/dri"):  # noqa: PTH110
        with pytest.raises(UserError, match="'h264_qsv' does not work on this machine"):
            Encoder("h264_qsv").prove()


def test_an_unknown_encoder_and_quality_are_refused() -> None:
    with pytest.raises(UserError, match=r"no encoder 'h264'\. Known: libx264"):
        Encoder("h264")
    with pytest.raises(UserError, match="99 is out of range"):
        Encoder(crf=99)
