"""Directions of a run: on the command line, as a sheet, and as a film."""

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from PIL import Image

from latent.points import seeded_point
from renderers.frames.frame_renderer import FrameRenderer


@pytest.mark.parametrize("method", ["pca", "sefa"])
@pytest.mark.slow
def test_directions_are_listed_with_their_effect_over_training_and_drawn(studio, method):
    words = ("directions", "city", "--method", method, "--count", "3", "--compared", "2")
    found = studio(*words, "--json").json
    assert found["batch"] == 12
    assert [row["name"] for row in found["directions"]] == [f"{method}:{n}" for n in range(3)]
    for row in found["directions"]:
        assert np.linalg.norm(row["z"]) == pytest.approx(1, abs=1e-5)
        assert [effect["batch"] for effect in row["kept"]] == [1, 11]
        assert all(-1 <= effect["cosine"] <= 1.0001 for effect in row["kept"])
        # One batch before, a direction does nearly what it does here.
        assert row["kept"][1]["cosine"] > 0.9
    with Image.open(found["path"]) as sheet:
        assert min(sheet.size) > 3 * 32
    told = studio(*words).out
    assert f"{method}:2" in told
    assert "at 11" in told


def test_a_direction_by_example_says_how_it_does_on_examples_that_were_held_out(studio):
    words = ("directions", "city", "--method", "examples", "--with", "seed:1-6")
    found = studio(*words, "--without", "seed:7-12", "--json").json
    (row,) = found["directions"]
    assert row["name"] == "examples"
    assert 0 <= row["score"] <= 1
    assert 0 < row["p"] <= 1
    assert "held-out" in studio(*words, "--without", "seed:7-12").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--with", "seed:1-6"), "--with and --without go with --method examples"),
        (("--method", "examples"), "needs cities that have it in --with"),
        (("--method", "examples", "--with", "seed:1-3", "--without", "seed:4-9"), "at least 4"),
        (("--method", "examples", "--with", "seed:1-5", "--without", "seed:4-9"), "both sides"),
        (("--batch", "99"), "99"),
        (("--out", "sheet.txt"), "sheet.txt"),
        (("--point", "nowhere.jpg"), "nowhere.jpg"),
    ],
)
def test_what_cannot_be_found_is_refused_in_a_sentence(studio, words, sentence):
    outcome = studio("directions", "city", *words)
    assert outcome.status in (1, 2)
    assert sentence in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err


@pytest.fixture
def vivid(make_vivid):
    """A run of one checkpoint whose pictures are full of contrast."""
    return make_vivid(30)


def test_a_film_goes_to_both_sides_and_its_frames_are_those_of_the_points_there(studio, vivid):
    direction = studio("directions", "vivid", "--count", "2", "--json").json["directions"][1]
    words = ("--number", "1", "--points", "seed:3", "--seconds", "1", "--fps", "8", "--crf", "0")
    made = studio("render", "direction", "vivid", *words, "--strength", "2", "--json").json
    (video,) = made["videos"]
    assert (video["label"], video["frames"]) == ("seed:3", 8)
    frames = imageio.imread(video["path"])
    assert len(frames) == 8
    at = [0.0, 2.0, 0.0, -2.0]  # Frames 0, 2, 4 and 6 of 8: a turn of the sine.
    z = torch.stack([seeded_point(3, 16).z + s * torch.tensor(direction["z"]) for s in at])
    expected = FrameRenderer().render(vivid, z).astype(float)
    scale = frames.shape[1] // 32
    shown = frames[::2].reshape(4, 32, scale, 32, scale, 3).mean((2, 4))
    apart = np.abs(shown[:, None] - expected[None]).mean((2, 3, 4))  # [shown, expected]
    assert apart.diagonal().max() < 12  # H.264 keeps colour at half the size.
    assert min(apart[1, 3], apart[1, 0], apart[0, 3]) > 20


def test_a_direction_that_there_is_not_cannot_be_filmed(studio):
    words = ("--method", "examples", "--with", "seed:1-5", "--without", "seed:6-9")
    outcome = studio("render", "direction", "city", *words, "--number", "1", "--seconds", "1")
    assert outcome.status == 1
    assert "There is no direction 1: there are 1, from 0 on." in outcome.err
