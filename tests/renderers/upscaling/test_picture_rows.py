import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from renderers.errors import RenderError
from renderers.upscaling.picture_rows import PictureNotes, require_picture_size, write_rows

PICTURE = np.random.default_rng(0).integers(0, 256, (37, 51, 3), np.uint8)


def notes():
    exif = Image.Exif()
    exif[0x8298] = "(c) somebody"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return PictureNotes(exif.tobytes(), b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", profile)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_a_picture_is_its_bands_with_what_it_says_of_itself(suffix, tmp_path):
    path, said = tmp_path / "new" / f"large{suffix}", notes()
    smooth = np.asarray(Image.fromarray(PICTURE).resize((510, 370), Image.Resampling.BICUBIC))
    write_rows(iter(np.split(smooth, [1, 100, 101])), path, 510, 370, 100, said)
    with Image.open(path) as written:
        assert written.size == (510, 370)
        assert written.mode == "RGB"
        assert written.getexif()[0x8298] == "(c) somebody"
        assert written.info["icc_profile"] == said.icc
        xmp = written.info.get("xmp") or written.info["XML:com.adobe.xmp"].encode()
        assert xmp == said.xmp
        difference = np.abs(np.asarray(written).astype(int) - smooth)
    assert difference.max() <= (6 if "j" in suffix.lower() else 0)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 1000), data=st.data()
)
def test_every_png_is_read_as_it_was_written(tmp_path_factory, height, width, seed, data):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    picture[: height // 2] = 7  # Flat areas as well as noise.
    cut = data.draw(st.integers(1, height))
    bands = [band for band in np.split(picture, [cut]) if len(band)]
    path = tmp_path_factory.mktemp("png") / "a.png"
    write_rows(bands, path, width, height, 92, PictureNotes())
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(path.read_bytes()))), picture)


def test_a_picture_that_ends_early_leaves_nothing(tmp_path):
    def broken():
        yield PICTURE[:5]
        raise RenderError("The network stopped.")

    for suffix in (".png", ".jpg"):
        with pytest.raises(RenderError, match="The network stopped"):
            write_rows(broken(), tmp_path / f"a{suffix}", 51, 37, 92, PictureNotes())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("a.webp", (16_384, 10), "16,384 x 10 px, and a WEBP has at most 16,383. Write a .png"),
        ("a.jpg", (70_000, 10), "a JPEG has at most 65,535"),
        ("a.png", (40_000, 40_000), "more than 1,073,741,824 in all"),
        ("a.bmp", (10, 10), "Cannot write a picture as 'a.bmp'"),
    ],
)
def test_sizes_that_no_file_holds_are_refused_before_anything_is_made(name, size, said, tmp_path):
    with pytest.raises(RenderError, match=said):
        require_picture_size(tmp_path / name, *size)


LARGE = """
import sys
from pathlib import Path
import numpy as np
from renderers.upscaling.picture_rows import PictureNotes, write_rows

side, path = int(sys.argv[1]), Path(sys.argv[2])
band = np.tile(np.arange(side, dtype=np.uint8)[None, :, None], (250, 1, 3))
write_rows((band for _ in range(side // 250)), path, side, side, 90, PictureNotes())
own = Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]
print(own)
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_of_20_000_px_a_side_is_written_in_flat_memory(suffix, tmp_path):
    path = tmp_path / f"large{suffix}"
    command = [sys.executable, "-c", LARGE, "20000", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 300_000  # What lies in the file beside it is the system's to drop.
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as written:
        assert written.size == (20_000, 20_000)
