from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from renderers.pictures.display_options import DisplayOptions
from renderers.pictures.overlay import Overlay
from renderers.video.ffmpeg import ffmpeg_command
from renderers.video.formats import format_of
from renderers.video.frame_encoding import encode_frames
from renderers.video.joining import join_parts
from renderers.video.video_reader import read_frames
from tests.renderers.tiny import number_frames

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (0, 0, 0), (255, 255, 255)]
FILMS = [
    ("film.mp4", "h264"),
    ("film.webm", "vp9"),
    ("film.webm", "av1"),
    ("film.mov", "prores"),
    ("film.mkv", "ffv1"),
    ("film.webp", "webp"),
    ("film.gif", "gif"),
    ("film/%06d.png", "png"),
    ("film/%06d.jpg", "jpeg"),
]
DISPLAYS = {
    "native": DisplayOptions(scale=1),
    "enlarged": DisplayOptions(scale=4),
    "odd": DisplayOptions(scale=3),
    "smooth": DisplayOptions(size=(90, 66), scaling="lanczos"),
}


def write_flat_film(
    folder: Path, name: str, codec: str, display: DisplayOptions, overlay: Overlay | None = None
) -> Path:
    path = folder / name
    form = format_of(path, codec)
    part = folder / f"part{form.part_suffix}"
    frames = number_frames(np.full((33, 45, 3), c, np.uint8) for c in COLOURS)
    encode_frames(frames, part, 24, display, overlay, form.encoder())
    join_parts([part], path, len(COLOURS), 24)
    return path


@pytest.mark.parametrize("display", DISPLAYS.values(), ids=DISPLAYS)
@pytest.mark.parametrize(("name", "codec"), FILMS)
def test_pure_colours_survive_within_three_levels(tmp_path, name, codec, display) -> None:
    path = write_flat_film(tmp_path, name, codec, display)
    for colour, frame in zip(COLOURS, read_frames(path), strict=True):
        assert abs(frame.astype(int) - colour).max() <= 3


@pytest.mark.parametrize(("name", "codec"), FILMS)
def test_colours_beside_an_overlay_survive_too(tmp_path, name, codec) -> None:
    path = write_flat_film(tmp_path, name, codec, DisplayOptions(scale=4), Overlay(largest=9))
    for colour, frame in zip(COLOURS, read_frames(path), strict=True):
        assert abs(frame[:32].astype(int) - colour).max() <= 3


@pytest.mark.parametrize("overlay", [None, Overlay(largest=9)])
@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("film.mp4", "h264", "yuv420p"),
        ("film.webm", "vp9", "yuv420p"),
        ("film.webm", "av1", "yuv420p"),
        ("film.mov", "prores", "yuv422p10le"),
    ],
)
def test_the_file_says_that_it_is_bt709_and_limited_range(
    tmp_path, name, codec, pixels, overlay
) -> None:
    path = write_flat_film(tmp_path, name, codec, DisplayOptions(scale=2), overlay)
    command = ffmpeg_command("-v", "info", "-i", str(path))
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert f"{pixels}(tv, bt709, progressive)" in said
