from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from renderers.errors import RenderError
from renderers.pictures.picture_file import save_picture


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_is_written_in_the_format_of_its_name(tmp_path, suffix) -> None:
    picture = np.full((8, 12, 3), 90, np.uint8)
    path = save_picture(picture, tmp_path / "new" / f"picture{suffix}")
    with Image.open(path) as image:
        assert image.format == {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}[suffix]
        assert abs(np.asarray(image.convert("RGB")).astype(int) - picture).max() <= 2
    assert list(path.parent.iterdir()) == [path]


def test_an_unknown_format_and_a_bad_place_are_told(tmp_path) -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(RenderError, match=r"'picture\.tga': use \.png"):
        save_picture(picture, tmp_path / "picture.tga")
    (tmp_path / "file").touch()
    with pytest.raises(RenderError, match="Cannot write"):
        save_picture(picture, tmp_path / "file" / "picture.png")
