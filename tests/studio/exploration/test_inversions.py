"""Pictures lead back to their points, on the command line."""

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image

from latent.points import seeded_point
from renderers.frames.frame_renderer import FrameRenderer

GALLERY = ("--gallery", "400")


@pytest.fixture
def vivid(make_vivid):
    """A run of one checkpoint whose pictures are full of contrast, and bend gently."""
    return make_vivid(6)


def write_picture(G, seed, path):
    Image.fromarray(FrameRenderer().render(G, seeded_point(seed, 16).z[None])[0]).save(path)
    return path


@pytest.mark.slow
def test_a_picture_without_metadata_finds_its_point_and_its_sheet_shows_how(
    studio, vivid, tmp_path
):
    picture = write_picture(vivid, 3, tmp_path / "lost city.png")
    found = studio("invert", "vivid", picture, *GALLERY, "--json").json
    assert {"run", "batch", "z", "psnr_db", "label"} <= set(found)
    assert (found["run"], found["batch"]) == ("vivid", 5)
    assert found["psnr_db"] > 40
    assert np.allclose(found["z"], seeded_point(3, 16).z, atol=0.1)
    with Image.open(found["path"]) as sheet:
        assert sheet.width > 2 * 160
    listed = studio("specimens", "list", "vivid", "--json").json
    assert [(row["label"], row["origin"]) for row in listed] == [(found["label"], "imported")]
    again = studio("invert", "vivid", picture, *GALLERY, "--json").json
    assert again["label"] == found["label"]


def test_an_exported_picture_leads_back_by_its_passport(studio, vivid, tmp_path):
    studio("specimens", "export", "vivid", "seed:9", "--out", tmp_path)
    (path,) = tmp_path.glob("*.jpg")
    found = studio("invert", "vivid", path, *GALLERY, "--json").json
    assert found["psnr_db"] > 30
    assert np.allclose(found["z"], seeded_point(9, 16).z, atol=0.1)


@pytest.mark.slow
def test_two_pictures_in_and_a_film_between_them_out(studio, vivid, tmp_path):
    pictures = [write_picture(vivid, seed, tmp_path / f"{seed}.png") for seed in (3, 4)]
    words = ("--seconds", "1", "--fps", "10", "--crf", "0", "--out", tmp_path / "between.mp4")
    outcome = studio("render", "between", "vivid", *pictures, *words, *GALLERY, "--json")
    assert outcome.json["videos"][0]["frames"] == 10
    frames = imageio.imread(tmp_path / "between.mp4").astype(float)
    scale = frames.shape[1] // 32
    small = frames.reshape(10, 32, scale, 32, scale, 3).mean((2, 4))
    ends = [np.asarray(Image.open(path), float) for path in pictures]
    apart = np.abs(ends[0] - ends[1]).mean()
    assert apart > 5
    assert np.abs(small[0] - ends[0]).mean() < apart / 3
    assert np.abs(small[-1] - ends[1]).mean() < apart / 3
    assert outcome.err.count("dB from its picture") == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("invert", "vivid", "nowhere.png"), "There is no picture 'nowhere.png'"),
        (("invert", "vivid", "{text}"), "cannot be read as a picture"),
        (("invert", "vivid", "{picture}", "--batch", "7"), "7"),
        (("invert", "vivid", "{picture}", "--out", "{text}"), "notes.txt"),
        (("render", "between", "vivid", "{picture}"), "name two, not 1"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_in_a_sentence(
    studio, vivid, tmp_path, words, sentence
):
    (tmp_path / "notes.txt").write_text("no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    places = {"text": tmp_path / "notes.txt", "picture": tmp_path / "a.png"}
    outcome = studio(*(word.format(**places) for word in words), *GALLERY)
    assert outcome.status in (1, 2)
    assert sentence in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err
