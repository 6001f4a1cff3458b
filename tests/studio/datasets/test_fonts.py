import os
import signal

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import distance_transform_edt

from studio.datasets.fonts.font_reader import FontReader
from studio.datasets.fonts.glyphs import (
    EDGE,
    FALLOFF,
    LETTERS,
    MAX_FONT_BYTES,
    SCALE,
    UnusableFontError,
    measure_field,
    read_letters,
)
from studio.datasets.fonts.screening import SeenFonts, has_one_case
from tests.studio.datasets.font_files import (
    of_symbols,
    whole_font,
    with_ascent,
    without_a,
    write_fonts,
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    path = tmp_path_factory.mktemp("fonts") / "font.ttf"
    path.write_bytes(whole_font())
    return read_letters(path)


def test_a_field_is_the_distance_inside_minus_outside_at_the_middle_of_each_pixel(drawn):
    for letter in drawn[[LETTERS.index("g"), LETTERS.index("W")]]:
        distances_px = (distance_transform_edt(letter) - distance_transform_edt(~letter)) / SCALE
        expected = np.clip(EDGE + FALLOFF * distances_px[8::SCALE, 8::SCALE], 0, 1)
        assert np.array_equal(measure_field(letter), np.rint(255 * expected))


def test_the_baseline_is_nine_pixels_above_the_bottom(drawn):
    lowest = np.flatnonzero(drawn[LETTERS.index("H")].any(1)).max() + 1
    assert lowest == pytest.approx((36 - 9) * SCALE, abs=1)
    assert drawn[LETTERS.index("g"), (36 - 9) * SCALE :].any()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"some text about fonts", "no TrueType or OpenType font"),
        (b"", "no TrueType or OpenType font"),
        (whole_font()[:12] + b"\xff" * 5000, "damaged"),
        (whole_font()[:4] + bytes(3000), "damaged"),
        (of_symbols(whole_font()), "a font of symbols"),
        (without_a(whole_font()), "lacks a letter"),
        (with_ascent(whole_font(), 450), "a letter leaves the box"),
        (with_ascent(whole_font(), 1), "its line has no usable height"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path, content, reason):
    (tmp_path / "font.ttf").write_bytes(content)
    with pytest.raises(UnusableFontError, match=reason):
        read_letters(tmp_path / "font.ttf")


def test_a_font_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "font.ttf").open("wb") as file:
        file.write(whole_font()[:4])
        file.truncate(MAX_FONT_BYTES + 1)
    with pytest.raises(UnusableFontError, match="larger than 32 MB"):
        read_letters(tmp_path / "font.ttf")


def test_bytes_that_change_at_random_never_lead_to_a_traceback(tmp_path):
    random = np.random.default_rng(0)
    for number in range(12):
        font = bytearray(whole_font())
        for at in random.integers(0, len(font), 40):
            font[at] = random.integers(256)
        (tmp_path / f"{number}.ttf").write_bytes(font)
        try:
            assert read_letters(tmp_path / f"{number}.ttf").shape == (52, 576, 576)
        except UnusableFontError:
            continue


def test_small_capitals_have_one_case_and_other_letters_two(drawn):
    assert not has_one_case(drawn)
    small = drawn.copy()
    for number, upper in enumerate(drawn[26:]):
        image = Image.fromarray(upper).resize((430, 430))
        small[number] = False
        small[number, 100:530, 60:490] = np.asarray(image)
    assert has_one_case(small)


def test_a_font_that_comes_again_with_a_few_other_levels_is_a_duplicate(drawn):
    fields = np.stack([measure_field(letter) for letter in drawn[::13]])
    fields = np.tile(fields, (13, 1, 1))
    duplicates = SeenFonts()
    assert not duplicates.add(fields)
    nearly = fields.copy()
    nearly[:, 10] ^= 1
    assert duplicates.add(nearly)
    assert not duplicates.add(np.roll(fields, 1, axis=2))


def test_a_font_that_takes_too_long_or_ends_its_reader_is_left_out_and_the_next_is_read(tmp_path):
    path = write_fonts(tmp_path, 1) / "font-0.ttf"
    reader = FontReader()
    try:
        first = reader.read(path)
        reader._max_font_s = 1e-9
        with pytest.raises(UnusableFontError, match="takes longer than"):
            reader.read(path)
        assert np.array_equal(reader.read(path), first)
        os.kill(reader._process.pid, signal.SIGKILL)
        reader._process.wait()
        reader._max_font_s = 20
        with pytest.raises(UnusableFontError, match="ends the process"):
            reader.read(path)
    finally:
        reader.close()
