from __future__ import annotations

import subprocess
from fractions import Fraction
from itertools import starmap
from pathlib import Path

import numpy as np
import pytest

from renderers.errors import RenderError
from renderers.pictures.display_options import DisplayOptions
from renderers.video.ffmpeg import ffmpeg_command
from renderers.video.formats import format_of
from renderers.video.frame_encoding import encode_frames
from renderers.video.joining import join_parts, require_place
from renderers.video.video_reader import count_frames, read_frames
from tests.renderers.tiny import frame_times, greys, number_frames, write_film

FPS = 30


FILMS = [
    ("film.mp4", "h264"),
    ("film.webm", "vp9"),
    ("film.webm", "av1"),
    ("film.mov", "prores"),
    ("film.mkv", "ffv1"),
    ("film.webp", "webp"),
    ("film.gif", "gif"),
    ("100% city/%06d.png", "png"),
    ("city/c%03d.jpg", "jpeg"),
]


SPANS = [(0, 41), (41, 42), (42, 120)]


def pictures(first: int, end: int) -> list[np.ndarray]:
    """Greys that tell their position, of which every fifth is the same as the one before."""
    levels = [2 * (i - (i % 5 == 4)) for i in range(first, end)]
    return [np.full((32, 48, 3), level, np.uint8) for level in levels]


def write_parts(folder: Path, file: Path, codec: str) -> list[Path]:
    form = format_of(file, codec)
    encoder = form.encoder(threads=2)
    parts = []
    for first, end in SPANS:
        frames = number_frames(pictures(first, end), first)
        parts.append(folder / f"{first}{form.part_suffix}")
        encode_frames(frames, parts[-1], FPS, DisplayOptions(scale=2), None, encoder)
    return parts


def times(path: Path) -> list[int]:
    command = ffmpeg_command("-i", f"file:{path}", "-c", "copy", "-f", "framecrc", "-")
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [int(line.split(",")[2]) for line in listed.splitlines() if line[0] != "#"]


@pytest.mark.parametrize(("name", "codec"), FILMS)
def test_parts_become_a_film_with_every_frame_in_order_at_an_even_pace(
    tmp_path, name, codec
) -> None:
    path = tmp_path / name
    join_parts(write_parts(tmp_path, path, codec), path, 120, FPS)
    assert count_frames(path) == 120
    for frame, expected in zip(read_frames(path), pictures(0, 120), strict=True):
        assert frame.shape == (64, 96, 3)
        assert abs(frame.astype(int) - int(expected[0, 0, 0])).max() <= 3
    if not format_of(path).numbered:
        tick = 0.01 if codec == "gif" else 0.001
        assert abs(frame_times(path) - np.arange(120) / FPS).max() <= tick


def test_frames_of_a_rate_that_is_a_fraction_come_when_they_should(tmp_path) -> None:
    path, rate = tmp_path / "film.mp4", Fraction(24000, 1001)
    join_parts(write_parts(tmp_path, path, "h264"), path, 120, rate)
    assert abs(frame_times(path) - np.arange(120) / float(rate)).max() <= 1e-4


@pytest.mark.parametrize(("name", "codec"), FILMS)
def test_a_film_that_lacks_a_frame_does_not_appear(tmp_path, name, codec) -> None:
    path = tmp_path / name
    parts = write_parts(tmp_path, path, codec)
    with pytest.raises(RenderError, match="120 frames instead of 121"):
        join_parts(parts, path, 121, FPS)
    assert sorted(tmp_path.iterdir()) == sorted(parts)


def test_lossless_formats_keep_every_level(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 33, 35, 3), np.uint8)
    part = tmp_path / "part.mkv"
    form = format_of("film.mkv")
    encode_frames(number_frames(noise), part, FPS, DisplayOptions(scale=1), None, form.encoder())
    join_parts([part], tmp_path / "city" / "%02d.png", 2, FPS)
    for path in (part, tmp_path / "city" / "%02d.png"):
        np.testing.assert_array_equal(np.stack(list(read_frames(path))), noise)


def test_numbered_pictures_replace_those_of_before_and_nothing_else(tmp_path) -> None:
    path = tmp_path / "city" / "c%03d.jpg"
    parts = write_parts(tmp_path, path, "jpeg")
    leftover = tmp_path / ".city.0a1b2c3d.tmp"
    leftover.mkdir()
    join_parts(parts, path, 120, FPS)
    join_parts(parts[:1], path, 41, FPS)
    assert sorted(p.name for p in path.parent.iterdir()) == [f"c{i:03d}.jpg" for i in range(41)]
    (path.parent / "diary.txt").touch()
    with pytest.raises(RenderError, match=r"city holds something else, such as diary\.txt"):
        join_parts(parts, path, 120, FPS)
    assert len(list(path.parent.iterdir())) == 42
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["city"]


def test_a_film_in_any_format_may_lie_where_nothing_is_yet(tmp_path) -> None:
    for name, _ in FILMS:
        require_place(tmp_path / "new" / name)
    assert not (tmp_path / "new").exists()  # asking makes nothing


def test_a_sequence_with_a_broken_picture_cannot_be_counted(tmp_path) -> None:
    path = tmp_path / "city" / "%03d.png"
    join_parts(write_parts(tmp_path, path, "png"), path, 120, FPS)
    broken = path.parent / "050.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(RenderError, match=r"Reading .*%03d\.png failed"):
        count_frames(path)


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
