from __future__ import annotations

import os
import signal
import subprocess
from itertools import starmap
from pathlib import Path

import numpy as np
import pytest

from renderers.errors import RenderError
from renderers.pictures.display_options import DisplayOptions
from renderers.video.encoders import VideoEncoder, choose_encoder
from renderers.video.ffmpeg import ffmpeg_command
from renderers.video.frame_encoding import encode_frames
from renderers.video.joining import join_parts
from renderers.video.video_reader import count_frames, read_frames
from renderers.video.video_writer import VideoWriter
from tests.renderers.tiny import number_frames

PLAIN = "format=yuv420p"


def write_film(
    path: Path, frames, display: DisplayOptions | None = None, encoder=None, fps: int = 24
) -> Path:
    display = display or DisplayOptions(scale=1)
    encode_frames(number_frames(frames), path, fps, display, None, encoder or VideoEncoder())
    return path


def flat(colours, height: int = 32, width: int = 32) -> list[np.ndarray]:
    return [np.full((height, width, 3), colour, np.uint8) for colour in colours]


def greys(count: int, start: int = 0) -> list[np.ndarray]:
    return flat(range(start, start + count))


def times(path: Path) -> list[int]:
    command = ffmpeg_command("-i", f"file:{path}", "-c", "copy", "-f", "framecrc", "-")
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [int(line.split(",")[2]) for line in listed.splitlines() if line[0] != "#"]


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


def test_joined_videos_have_all_frames_in_order_at_an_even_pace(tmp_path) -> None:
    spans = [(50, 0), (1, 50), (70, 51), (99, 121)]
    parts = [
        write_film(tmp_path / f"it's {i}.mp4", frames)
        for i, frames in enumerate(starmap(greys, spans))
    ]
    path = tmp_path / "joined film: all.mp4"
    join_parts(parts, path, 220, fps=24)
    assert count_frames(path) == 220
    levels = [frame.mean() for frame in read_frames(path)]
    assert np.abs(np.array(levels) - np.arange(220)).max() <= 1.5
    assert len(set(np.diff(times(path)))) == 1


def test_joining_refuses_to_finish_with_another_number_of_frames(tmp_path) -> None:
    part = write_film(tmp_path / "part.mp4", greys(10))
    with pytest.raises(RenderError, match="10 frames instead of 11"):
        join_parts([part], tmp_path / "film.mp4", 11, fps=24)
    with pytest.raises(RenderError, match="film"):
        join_parts([part, tmp_path / "absent.mp4"], tmp_path / "film.mp4", 20, fps=24)
    assert list(tmp_path.iterdir()) == [part]


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


def test_a_hardware_encoder_is_refused_where_it_cannot_encode_a_frame() -> None:
    VideoEncoder().prove()
    if not os.path.exists("/dev/dri"):  # noqa: PTH110
        with pytest.raises(RenderError, match="'h264_qsv' does not work on this machine"):
            choose_encoder("h264_qsv")


def test_the_chosen_encoder_works_and_makes_the_codec() -> None:
    assert choose_encoder(None, "av1") == "libsvtav1"
    assert choose_encoder("auto", "vp9") == "libvpx-vp9"
    chosen = VideoEncoder(choose_encoder("auto"))
    assert chosen.kind.codec == "h264"
    chosen.prove()


def test_unknown_encoders_presets_and_qualities_are_refused() -> None:
    with pytest.raises(RenderError, match=r"no encoder 'h264'\. Known: libx264"):
        VideoEncoder("h264")
    with pytest.raises(RenderError, match="99 is out of range: use 0 \\(best\\) to 51"):
        VideoEncoder(crf=99)
    with pytest.raises(RenderError, match="ffv1 has no quality"):
        VideoEncoder("ffv1", crf=18)
    with pytest.raises(RenderError, match="prores_ks has no presets: leave 'fast' out"):
        VideoEncoder("prores_ks", "fast")
    with pytest.raises(RenderError, match=r"libx264 does not make vp9\. Use libvpx-vp9"):
        choose_encoder("libx264", "vp9")


@pytest.mark.parametrize("name", ["libx264", "libvpx-vp9", "libsvtav1"])
def test_the_same_number_of_threads_gives_the_same_frames(tmp_path, name) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 128, 128, 3), np.uint8)
    suffix = ".mp4" if name == "libx264" else ".webm"
    encoder = VideoEncoder(name, threads=3)
    one, other = (write_film(tmp_path / f"{i}{suffix}", noise, encoder=encoder) for i in range(2))
    for frame, same in zip(read_frames(one), read_frames(other), strict=True):
        np.testing.assert_array_equal(frame, same)
