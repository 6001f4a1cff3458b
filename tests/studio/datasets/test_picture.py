import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from studio.datasets.picture import UnreadablePictureError, read_picture

ORANGE = (240, 140, 40)


def save(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


def orange(mode: str = "RGB", size: tuple[int, int] = (50, 40)) -> Image.Image:
    return Image.new("RGB", size, ORANGE).convert(mode)


def test_every_format_is_read(tmp_path):
    for suffix in (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"):
        pixels = read_picture(save(orange(), tmp_path / f"a{suffix}"), 32)
        assert pixels.shape == (32, 32, 3)
        assert pixels.dtype == np.uint8
        assert np.abs(pixels.astype(int) - ORANGE).max() <= 4, suffix


def test_the_middle_square_is_cut_out(tmp_path):
    image = Image.new("RGB", (100, 40), "red")
    image.paste("blue", (30, 0, 70, 40))
    pixels = read_picture(save(image, tmp_path / "wide.png"), 32)
    assert (pixels[:, 1:-1] == (0, 0, 255)).all()


def test_fine_detail_is_averaged_when_scaled_down(tmp_path):
    checkerboard = np.indices((320, 320)).sum(0) % 2 * 255
    image = Image.fromarray(checkerboard.astype(np.uint8))
    pixels = read_picture(save(image, tmp_path / "checks.png"), 32)
    assert np.abs(pixels[2:-2, 2:-2].astype(int) - 127).max() <= 2


def test_a_turned_photograph_is_set_upright(tmp_path):
    image = Image.new("RGB", (64, 64), "white")
    image.paste("black", (0, 0, 32, 64))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    pixels = read_picture(save(image, tmp_path / "phone.jpg", exif=exif, quality=95), 32)
    assert pixels[:14].max() < 30
    assert pixels[18:].min() > 225


def test_transparency_is_laid_on_white(tmp_path):
    half = Image.new("RGBA", (40, 40), (200, 0, 0, 128))
    assert (
        np.abs(read_picture(save(half, tmp_path / "a.png"), 32)[5, 5] - (227, 127, 127)).max() < 2
    )
    grey = Image.new("LA", (40, 40), (0, 0))
    assert read_picture(save(grey, tmp_path / "b.png"), 32).min() == 255


def test_a_palette_with_a_transparent_entry_is_read(tmp_path):
    image = Image.new("P", (40, 40), 0)
    image.putpalette([240, 140, 40, 9, 9, 9])
    image.paste(1, (0, 0, 20, 40))
    pixels = read_picture(save(image, tmp_path / "a.png", transparency=1), 32)
    assert tuple(pixels[5, 5]) == (255, 255, 255)
    assert tuple(pixels[5, 25]) == ORANGE


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_is_scaled_to_eight(tmp_path, suffix):
    ramp = np.full((40, 40), 0x8000, np.uint16)
    ramp[:, 20:] = 0xFFFF
    pixels = read_picture(save(Image.fromarray(ramp), tmp_path / f"deep{suffix}"), 32)
    assert tuple(pixels[5, 5]) == (128, 128, 128)
    assert tuple(pixels[5, 25]) == (255, 255, 255)


def test_dark_sixteen_bit_grey_keeps_its_tones(tmp_path):
    dark = Image.fromarray(np.full((40, 40), 257 * 10, np.uint16))
    assert (read_picture(save(dark, tmp_path / "dark.png"), 32) == 10).all()


def test_sixteen_bit_grey_in_thirty_two_bits_is_scaled_too(tmp_path):
    values = Image.fromarray(np.full((40, 40), 257 * 77, np.int32))
    assert (read_picture(save(values, tmp_path / "wide.tif"), 32) == 77).all()


def test_pixels_without_a_known_range_are_refused_with_the_reason(tmp_path):
    floats = Image.fromarray(np.full((40, 40), 0.5, np.float32))
    integers = Image.fromarray(np.full((40, 40), 1_000_000, np.int32))
    for image in (floats, integers):
        with pytest.raises(UnreadablePictureError, match="no known range"):
            read_picture(save(image, tmp_path / "science.tif"), 32)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_other_colour_modes_become_rgb(tmp_path, mode):
    suffix = ".tif" if mode == "CMYK" else ".png"
    image = orange(mode)
    pixels = read_picture(save(image, tmp_path / f"a{suffix}"), 32)
    expected = np.asarray(image.convert("RGB")).mean((0, 1))
    assert np.abs(pixels.mean((0, 1)) - expected).max() < 12


def test_a_cmyk_jpeg_keeps_its_colour(tmp_path):
    pixels = read_picture(save(orange("CMYK"), tmp_path / "print.jpg", quality=95), 32)
    assert np.abs(pixels.astype(int) - ORANGE).max() <= 6


@pytest.mark.parametrize(
    ("width", "reason"), [(16_000, "too large: 16000 x 10000"), (30_000, "exceeds limit")]
)
def test_a_picture_of_too_many_pixels_is_refused(tmp_path, width, reason):
    path = save(Image.new("1", (width, 10_000)), tmp_path / "bomb.png")
    assert path.stat().st_size < 1_000_000
    with pytest.raises(UnreadablePictureError, match=reason):
        read_picture(path, 32)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif"])
def test_a_file_cut_short_is_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = save(Image.fromarray(noise), tmp_path / f"cut{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadablePictureError):
        read_picture(path, 32)


@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "BMP", "TIFF"]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_whatever_bytes_a_file_has_it_is_a_picture_or_refused(tmp_path_factory, kind, changes):
    stream = io.BytesIO()
    orange().save(stream, format=kind)
    content = bytearray(stream.getvalue())
    for place, byte in changes:
        content[place % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / "changed"
    path.write_bytes(content)
    try:
        picture = read_picture(path, 32)
    except UnreadablePictureError:
        return
    assert (picture.shape, picture.dtype) == ((32, 32, 3), np.uint8)


def test_the_reason_does_not_repeat_the_path(tmp_path):
    path = tmp_path / "words.jpg"
    path.write_text("not a picture")
    with pytest.raises(UnreadablePictureError, match="damaged, or none of JPEG") as caught:
        read_picture(path, 32)
    assert str(tmp_path) not in str(caught.value)


def test_a_flipped_bit_of_a_png_is_found_by_its_checksums(tmp_path):
    path = tmp_path / "a.png"
    pixels = np.indices((48, 48)).sum(0).astype(np.uint8)
    Image.fromarray(pixels).convert("RGB").save(path)
    content, genuine = path.read_bytes(), read_picture(path, 32)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 8
        path.write_bytes(changed)
        try:
            assert np.array_equal(read_picture(path, 32), genuine)
        except UnreadablePictureError:
            continue
