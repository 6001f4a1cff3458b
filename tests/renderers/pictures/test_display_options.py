from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderers.errors import RenderError
from renderers.pictures.display_options import (
    DisplayOptions,
    parse_crop,
    parse_size,
    watchable_scale,
)
from renderers.video.formats import format_of
from renderers.video.frame_encoding import encode_frames
from renderers.video.video_reader import read_frames
from tests.renderers.tiny import number_frames


def shown(
    folder, display: DisplayOptions, picture: np.ndarray, name: str = "film.mkv"
) -> np.ndarray:
    """A picture as it is seen in a video, uint8 [height, width, 3]."""
    path = folder / name
    encode_frames(
        number_frames([display.apply_crop(picture)]),
        path,
        24,
        display,
        None,
        format_of(path).encoder(),
    )
    (frame,) = read_frames(path)
    return frame


def mosaic(height: int = 16, width: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("height", "scale"), [(16, 32), (32, 16), (64, 8), (100, 6), (300, 2), (512, 1), (1024, 1)]
)
def test_small_pictures_are_enlarged_by_an_even_factor(height, scale) -> None:
    assert watchable_scale(height) == scale
    assert DisplayOptions().lay_out(height, height).video == (height * scale, height * scale)


def test_nearest_repeats_pixels_and_lanczos_blends_them(tmp_path) -> None:
    step = np.zeros((8, 8, 3), np.uint8)
    step[:, 4:] = 255
    crisp = shown(tmp_path, DisplayOptions(scale=8), step)
    np.testing.assert_array_equal(crisp, step.repeat(8, 0).repeat(8, 1))
    smooth = shown(tmp_path, DisplayOptions(scale=8, scaling="lanczos"), step)
    assert smooth.shape == crisp.shape
    assert 100 < smooth[32, 31:33].mean() < 155
    assert len(np.unique(smooth)) > 8


@pytest.mark.parametrize("scaling", ["nearest", "lanczos"])
def test_a_smaller_size_averages_pixels(tmp_path, scaling) -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 255
    picture = np.repeat(board[..., None], 3, 2).astype(np.uint8)
    small = shown(tmp_path, DisplayOptions(size=(16, 16), scaling=scaling), picture)
    assert small.shape == (16, 16, 3)
    assert abs(small[2:-2, 2:-2].astype(int) - 127).max() <= 3


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.mkv"])
def test_a_picture_of_another_shape_gets_dark_bars(tmp_path, name) -> None:
    white = np.full((32, 32, 3), 255, np.uint8)
    frame = shown(tmp_path, DisplayOptions(size=(128, 64)), white, name).astype(int)
    assert frame.shape == (64, 128, 3)
    assert abs(frame[:, 34:94] - 255).max() <= 3
    assert abs(frame[:, [*range(30), *range(98, 128)]] - (17, 18, 20)).max() <= 4


def test_the_crop_shows_that_part_of_every_picture(tmp_path) -> None:
    picture = mosaic()
    display = DisplayOptions(crop=(2, 3, 6, 5), scale=1)
    np.testing.assert_array_equal(shown(tmp_path, display, picture), picture[3:8, 2:8])
    assert display.apply_crop(np.stack([picture] * 4)).shape == (4, 5, 6, 3)


def test_a_crop_that_leaves_the_picture_is_told_with_its_size() -> None:
    with pytest.raises(RenderError, match=r"Crop 10x10\+8\+0 reaches out .* has 16x12 px"):
        DisplayOptions(crop=(8, 0, 10, 10)).apply_crop(mosaic(12, 16))


@pytest.mark.parametrize(
    ("name", "display", "size"),
    [
        ("film.mp4", DisplayOptions(scale=3), (100, 106)),
        ("film.mov", DisplayOptions(scale=3), (100, 106)),
        ("film.mkv", DisplayOptions(scale=3), (99, 105)),
        ("film.mp4", DisplayOptions(size=(71, 51)), (52, 72)),
        ("film.mkv", DisplayOptions(size=(71, 51)), (51, 71)),
    ],
)
def test_odd_sizes_become_even_where_the_format_needs_it_and_it_is_said(
    tmp_path, name, display, size
) -> None:
    assert shown(tmp_path, display, mosaic(33, 35), name).shape[:2] == size
    layout = display.lay_out(35, 33, format_of(name).encoder().even)
    assert layout.video == (size[1], size[0])
    if name == "film.mkv":
        assert layout.remark is None
    else:
        assert layout.remark is not None
        assert f"The video is {size[1]}x{size[0]} px instead of" in layout.remark


def test_the_row_and_column_that_are_added_repeat_the_last(tmp_path) -> None:
    picture = np.full((5, 5, 3), 40, np.uint8)
    picture[-1], picture[:, -1] = 180, 180
    frame = shown(tmp_path, DisplayOptions(scale=3), picture, "film.mp4").astype(int)
    assert frame.shape == (16, 16, 3)
    assert abs(frame[-2:] - 180).max() <= 12
    assert abs(frame[:, -2:] - 180).max() <= 12


def test_json_brings_the_same_options_back() -> None:
    display = DisplayOptions(crop=(1, 2, 3, 4), size=(640, 480), scaling="lanczos")
    assert DisplayOptions(**json.loads(json.dumps(asdict(display)))) == display


def test_sizes_and_crops_are_read_as_people_write_them() -> None:
    assert parse_size("1920x1080") == (1920, 1080)
    assert parse_size(" 512 ") == (512, 512)
    assert parse_size("640X480") == (640, 480)
    assert parse_crop("256x192+10+20") == (10, 20, 256, 192)
    for text in ("", "x", "12x", "a", "1x2x3", "-5"):
        with pytest.raises(RenderError, match="is not a size: write 1920x1080"):
            parse_size(text)
    for text in ("256x256", "256+1+1", "1x1-1-1"):
        with pytest.raises(RenderError, match=r"is not a crop: write WIDTHxHEIGHT\+X\+Y"):
            parse_crop(text)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"size": (64, 64), "scale": 2}, "Size 64x64 and scale 2: give one"),
        ({"scaling": "bilinear"}, "no scaling 'bilinear'. Use nearest or lanczos"),
        ({"scale": 0}, "scale 0 is out of range: use 1 to 64"),
        ({"scale": 65}, "scale 65 is out of range"),
        ({"size": (1, 64)}, "Size 1x64 is out of range: use 2 to 16383 px"),
        ({"size": (64, 20_000)}, "Size 64x20000 is out of range"),
        ({"crop": (0, 0, 0, 5)}, r"Crop 0x5\+0\+0 has no pixels"),
    ],
)
def test_impossible_options_are_refused(values, sentence) -> None:
    with pytest.raises(RenderError, match=sentence):
        DisplayOptions(**values)


def test_a_video_larger_than_any_format_is_refused() -> None:
    with pytest.raises(RenderError, match="would be 65536x65536 px, more than 16383"):
        DisplayOptions(scale=64).lay_out(1024, 1024)


SIDES = st.integers(0, 10**6)


@given(width=SIDES, height=SIDES, sign=st.sampled_from("xX×"), spaces=st.sampled_from(["", " "]))
def test_every_size_and_crop_that_is_written_is_read(width, height, sign, spaces) -> None:
    assert parse_size(f"{spaces}{width}{sign}{height}{spaces}") == (width, height)
    assert parse_size(f"{width}") == (width, width)
    crop = f"{spaces}{width}{sign}{height}+{height}+{width}"
    assert parse_crop(crop) == (height, width, width, height)


@pytest.mark.parametrize("parse", [parse_size, parse_crop])
@given(text=st.text() | st.text("0123456789x+", max_size=12))
def test_any_other_text_is_refused_or_numbers(parse, text) -> None:
    with suppress(RenderError):
        assert all(number >= 0 for number in parse(text))


@settings(max_examples=60)
@given(
    picture=st.tuples(st.integers(16, 300), st.integers(16, 300)),
    size=st.none() | st.tuples(st.integers(2, 2000), st.integers(2, 2000)),
    even=st.booleans(),
)
def test_a_picture_fits_its_video_and_keeps_its_shape(picture, size, even) -> None:
    layout = DisplayOptions(size=size).lay_out(*picture, even)
    assert all(shown <= side for shown, side in zip(layout.shown, layout.video, strict=True))
    assert all(
        0 <= side - wanted <= 1 for side, wanted in zip(layout.video, layout.wanted, strict=True)
    )
    assert (layout.remark is None) == (layout.video == layout.wanted)
    if even:
        assert [side % 2 for side in layout.video] == [0, 0]
    width, height = (shown / own for shown, own in zip(layout.shown, picture, strict=True))
    assert abs(width - height) <= 2 * max(1 / own for own in picture)
