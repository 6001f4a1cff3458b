from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderers.errors import RenderError
from renderers.pictures.display_options import DisplayOptions
from renderers.video.ffmpeg import ffmpeg_command
from renderers.video.formats import FORMATS, format_of
from renderers.video.frame_encoding import encode_frames
from renderers.video.joining import join_parts, require_place
from renderers.video.video_reader import count_frames, read_frames
from tests.renderers.tiny import number_frames

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


def seconds(path: Path) -> np.ndarray:
    """When each frame is shown."""
    command = ffmpeg_command("-i", f"file:{path}", "-c", "copy", "-f", "framecrc", "-")
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    base = next(line.split()[-1] for line in lines if line.startswith("#tb"))
    over, under = map(int, base.split("/"))
    stamps = [int(line.split(",")[2]) for line in lines if not line.startswith("#")]
    return np.array(stamps) * over / under


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
        assert abs(seconds(path) - np.arange(120) / FPS).max() <= tick


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


def test_the_suffix_decides_and_the_codec_may_choose() -> None:
    assert format_of("a.MP4").codec == "h264"
    assert format_of("a.webm").codec == "vp9"
    assert format_of("a.webm", "av1").encoder().name == "libsvtav1"
    assert format_of("a.gif").encoder().name == "ffv1"


@pytest.mark.parametrize(
    ("name", "codec", "sentence"),
    [
        ("film.avi", None, r"'film\.avi': its name must end in one of \.mp4, \.webm, \.mov"),
        ("film", None, r"'film': its name must end in"),
        ("film.webm", "h264", r"A \.webm file holds vp9 or av1, not 'h264'"),
        ("film.png", None, r"names one picture, .* such as film/%06d\.png"),
        ("%02d-%02d.png", None, "names one picture"),
    ],
)
def test_what_cannot_be_written_is_refused_with_what_can(name, codec, sentence) -> None:
    with pytest.raises(RenderError, match=sentence):
        format_of(name, codec)


def test_an_encoder_of_another_codec_is_refused() -> None:
    with pytest.raises(RenderError, match=r"libx264 does not make av1\. Use libsvtav1"):
        format_of("film.webm", "av1").encoder("libx264")


def test_long_and_fast_films_are_refused_where_browsers_could_not_play_them() -> None:
    with pytest.raises(RenderError, match=r"19,000 frames are too many for a \.webp .* \.mp4"):
        format_of("film.webp").require_fit(19_000, 60)
    with pytest.raises(RenderError, match="cannot play 60 frames per second: use 50 or fewer"):
        format_of("film.gif").require_fit(100, 60)
    for name, _ in FILMS:
        format_of(name).require_fit(1_000, 50)
    format_of("film.mp4").require_fit(1_000_000, 240)


@given(
    form=st.sampled_from(FORMATS),
    stem=st.text("abcXYZ 123-_.é", min_size=1).filter(lambda stem: set(stem) != {"."}),
)
def test_every_format_is_known_by_its_suffix_in_any_case_and_its_codec(form, stem) -> None:
    number = "%06d" if form.numbered else ""
    for suffix in (form.suffix, form.suffix.upper()):
        assert format_of(f"{stem}{number}{suffix}", form.codec) == form
    assert form.encoder().kind.codec == form.part_codec


@given(st.text())
def test_any_other_name_has_no_format(name) -> None:
    with suppress(RenderError):
        assert format_of(name) in FORMATS
