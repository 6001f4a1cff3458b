"""Posters, and new cities on an atlas that is there."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from studio.atlases.atlas_files import find_atlas
from studio.atlases.locating import locate_cities
from studio.workspace.errors import StudioError


@pytest.fixture
def atlas(studio, workspace):
    studio("atlas", "city", "--batch", 5, "--count", 40, "--space", "activations")
    return find_atlas(workspace, "city", 5, "activations")


@pytest.mark.parametrize("arrange", ["grid", "map"])
def test_a_png_has_every_city_on_a_transparent_ground(studio, atlas, tmp_path, arrange):
    out = tmp_path / "wall.png"
    words = ("--arrange", arrange, "--width", 800, "--labels", "clusters", "--out", out)
    made = studio("poster", "city", *words, "--json").json
    assert (made["path"], made["width"], made["count"]) == (str(out), 800, 40)
    with Image.open(out) as poster:
        assert (poster.mode, poster.size) == ("RGBA", (800, made["height"]))
        opacity = np.asarray(poster)[..., 3]
    assert opacity[:20].max() == 0
    assert opacity[:800].max() == 255
    assert opacity[800:].max() == 255  # the caption
    assert 0.1 < (opacity[:800] > 0).mean() < 0.9


def test_an_svg_fetches_nothing_and_escapes_what_it_says(studio, atlas, workspace, tmp_path):
    studio("specimens", "star", "city", "5.3")
    out = tmp_path / "wall.svg"
    studio("poster", "city", "--labels", "starred", "--width", 800, "--out", out)
    root = ET.parse(out).getroot()
    svg = "{http://www.w3.org/2000/svg}"
    images = root.findall(f"{svg}image")
    assert len(images) == 40
    assert all(image.get("href").startswith("data:image/jpeg;base64,") for image in images)
    texts = [text.text for text in root.findall(f"{svg}text")]
    assert texts[0] == "5.3"
    assert any("activations" in text for text in texts)


def test_no_caption_leaves_a_square(studio, atlas, tmp_path):
    out = tmp_path / "wall.png"
    studio("poster", "city", "--no-caption", "--width", 500, "--out", out)
    with Image.open(out) as poster:
        assert poster.size == (500, 500)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "wall.bmp"], "Use .png or .svg"),
        (["--width", "99999"], "99,999 px is out of range"),
        (["--space", "z"], "Drawn: batch 5 by activations"),
    ],
)
def test_what_is_no_poster_is_a_sentence(studio, atlas, words, sentence):
    ended = studio("poster", "city", *words)
    assert ended.status == 1
    assert sentence in ended.err


def test_a_city_of_the_atlas_is_located_where_it_lies(studio, atlas, workspace):
    found = studio("locate", "city", "5.3", "5.30", "seed:4", "--json").json
    for city, number in zip(found["cities"], (3, 30), strict=False):
        assert city["nearest"] == city["label"]
        assert np.allclose([city["x"], city["y"]], atlas.coordinates[number], atol=1e-3)
    assert 0 <= found["cities"][2]["x"] <= 1
    assert "nearest on it" in studio("locate", "city", "seed:4").out


def test_an_atlas_whose_features_are_damaged_is_a_sentence(atlas, workspace):
    path = atlas.path.with_name("features.npy")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(StudioError, match="Draw the atlas anew"):
        locate_cities(workspace, atlas, ["5.3"])
