"""A look at a run: its points, or others, at one checkpoint."""

import shutil

import pytest
from PIL import Image


def test_a_look_shows_the_fixed_points_at_the_last_checkpoint(studio):
    looked = studio("look", "city", "--json").json
    with Image.open(looked["path"]) as picture:
        assert picture.width > 32
    first = Image.open(looked["path"]).tobytes()
    again = studio("look", "city", "--batch", "12", "--json").json
    assert Image.open(again["path"]).tobytes() == first
    other = studio("look", "city", "--batch", "3", "--json").json
    assert Image.open(other["path"]).tobytes() != first


def test_a_look_takes_points_and_a_place(studio, tmp_path):
    out = tmp_path / "look.png"
    looked = studio("look", "city", "seed:1", "seed:2", "--out", out, "--json").json
    assert (looked["path"], looked["rows"] * looked["columns"]) == (str(out), 2)
    assert "--overwrite" in studio("look", "city", "--out", out).err


def test_a_run_without_points_of_its_own_shows_seeds(studio, workspace):
    shutil.copytree(workspace.runs / "city", workspace.runs / "bare")
    looked = studio("look", "bare", "--json").json
    assert looked["rows"] * looked["columns"] == 9


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope"], "Known: city"),
        (["city", "--batch", "99"], "99"),
        (["city", "Atlantis"], "Atlantis"),
        (["city", "--device", "cuda:99"], "cuda:99"),
    ],
)
def test_what_is_not_there_is_refused(studio, words, said):
    refused = studio("look", *words)
    assert refused.status == 1
    assert said in refused.err
